"""Say what the files of a folder are, by their content.

Usage: app.py [FOLDER]        without one, a folder of samples is made
"""

import struct
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from magika import Magika

SAMPLES = {
    "letter": b"<!DOCTYPE html>\n<html><head><title>A</title></head><body><p>b</p></body></html>\n",
    "script": b"#!/bin/sh\nset -eu\nfor name in *.txt; do\n    rm -- $name\ndone\n" * 2,
    "table": b"day,hour,value\n" + b"".join(b"%d,%d,%d\n" % (n, n % 24, n * n) for n in range(40)),
    "tool": b"import os\n\n\ndef size(path):\n    return os.stat(path).st_size\n\n\nsize('a')\n",
    "settings": b'{"name": "north", "ports": [80, 443], "nested": {"on": true, "off": null}}\n',
}


def make_samples(folder: Path) -> None:
    for name, content in SAMPLES.items():
        (folder / name).write_bytes(content)
    (folder / "picture").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png_chunks()))


def png_chunks() -> Iterator[bytes]:
    rows = zlib.compress(b"\0\0\0\0" * 16)
    header = struct.pack(">IIBBBBB", 1, 16, 8, 2, 0, 0, 0)
    for kind, data in ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")):
        check = struct.pack(">I", zlib.crc32(kind + data))
        yield struct.pack(">I", len(data)) + kind + data + check


def report(folder: Path) -> None:
    magika = Magika()
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    for path, result in zip(paths, magika.identify_paths(paths), strict=True):
        print(f"{path.name:<10} {result.output.label:<8} {result.output.mime_type}")
    print(f"by the model {magika.get_model_name()}")


def main() -> None:
    if len(sys.argv) > 1:
        report(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        make_samples(Path(name))
        report(Path(name))


if __name__ == "__main__":
    main()
