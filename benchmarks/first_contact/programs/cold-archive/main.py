"""A cold archive: object stores by URL, fsspec over obstore, several codecs, content addresses by BLAKE3, a manifest, a Typer command."""
import asyncio
import tempfile
from enum import Enum
from pathlib import Path

import blake3
import cramjam
import fsspec
import obstore as obs
import ormsgpack
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import typer
import zstandard
from obstore.fsspec import FsspecStore, register
from obstore.store import LocalStore, MemoryStore, from_url
from typer.testing import CliRunner

app = typer.Typer()
store = MemoryStore()


class Codec(str, Enum):
    zstd = "zstd"
    brotli = "brotli"
    lz4 = "lz4"
    xz = "xz"
    snappy = "snappy"


def pack(codec, data):
    return bytes(getattr(cramjam, codec.value).compress(data))


def unpack(codec, data):
    return bytes(getattr(cramjam, codec.value).decompress(data))


@app.command()
def put(name: str, codec: Codec = Codec.zstd, size: int = 10_000):
    data = (name.encode() * size)[:size]
    key = blake3.blake3(data).hexdigest()
    obs.put(store, f"blobs/{key[:2]}/{key}", pack(codec, data), attributes={"Content-Type": "application/x-" + codec.value})
    try:
        manifest = ormsgpack.unpackb(bytes(obs.get(store, "manifest").bytes()))
    except FileNotFoundError:
        manifest = {}
    manifest[name] = {"key": key, "codec": codec.value, "size": size}
    obs.put(store, "manifest", ormsgpack.packb(manifest, option=ormsgpack.OPT_SORT_KEYS))
    typer.echo(key[:8])


async def check():
    manifest = ormsgpack.unpackb(bytes(await (await obs.get_async(store, "manifest")).bytes_async()))
    for name, entry in manifest.items():
        r = await obs.get_async(store, f"blobs/{entry['key'][:2]}/{entry['key']}")
        data = unpack(Codec(entry["codec"]), bytes(await r.bytes_async()))
        assert blake3.blake3(data).hexdigest() == entry["key"] and len(data) == entry["size"], name
    listed = [m["path"] for m in await obs.list(store, "blobs").collect_async()]
    return len(manifest), len(listed)


def main():
    r = CliRunner()
    keys = [r.invoke(app, [f"file{i}", "--codec", c.value], catch_exceptions=False).output.strip() for i, c in enumerate(Codec)]
    bad = r.invoke(app, ["x", "--codec", "rar"]).exit_code
    counts = asyncio.run(check())
    register("file")
    with tempfile.TemporaryDirectory() as t:
        table = pa.table({"key": keys, "n": list(range(len(keys)))})
        local = LocalStore(t)
        fs = FsspecStore("file")
        with fs.open(f"{t}/m.parquet", "wb") as f:
            pq.write_table(table, f, compression="zstd")
        n = ds.dataset(f"{t}/m.parquet", format="parquet").to_table(filter=ds.field("n") > 1).num_rows
        names = [m["path"] for m in local.list().collect()]
        again = from_url(Path(t).as_uri())
        size = obs.head(again, "m.parquet")["size"]
        with fsspec.open(f"{t}/x.txt.zst", "wt", compression="zstd") as f:
            f.write("hello " * 100)
        text = zstandard.ZstdDecompressor().stream_reader((Path(t) / "x.txt.zst").open("rb")).read(5)
        with fsspec.open("memory://a.txt", "w") as f:
            f.write("x")
    print("OK", keys[0], bad, counts, n, names, size > 100, text)


if __name__ == "__main__":
    main()
