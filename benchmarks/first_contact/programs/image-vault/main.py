"""A vault of pictures: JPEG XL written with EXIF by a Pillow plugin, PNGs squeezed by oxipng, an animation by imageio, thumbnails as ThumbHash, tagged sound beside them, a manifest in Pydantic."""
import datetime
import io
import re
import struct
import tempfile
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import oxipng
import pillow_jxl  # noqa: F401 -- registers the format
from mutagen.flac import Picture
from mutagen.id3 import APIC, ID3, TIT2, TXXX
from mutagen.oggvorbis import OggVorbisHeaderError, OggVorbis
from mutagen.wave import WAVE
from PIL import ExifTags, Image, ImageDraw, ImageFilter, ImageOps, features
from pydantic import BaseModel, Field, field_validator
from thumbhash import image_to_thumbhash


class Entry(BaseModel):
    name: str = Field(pattern=r"^[a-z0-9.-]+$")
    kind: str
    size: tuple[int, int]
    taken: datetime.datetime | None = None
    saved: float = Field(ge=0, le=1)
    hash: str

    @field_validator("taken", mode="before")
    @classmethod
    def exif_date(cls, value):
        return re.sub(r"^(\d{4}):(\d\d):(\d\d) ", r"\1-\2-\3T", value) if isinstance(value, str) else value


class Manifest(BaseModel):
    entries: list[Entry]
    sounds: dict[str, float]


def picture(seed):
    y, x = np.mgrid[0:96, 0:128]
    rgb = np.stack([(x * 2) % 256, (y * 2 + seed * 40) % 256, np.full_like(x, 60 * seed)], axis=-1).astype(np.uint8)
    image = Image.fromarray(rgb)
    draw = ImageDraw.Draw(image)
    draw.ellipse((30, 20, 90, 80), outline="white", width=3)
    draw.text((8, 8), f"no. {seed}", fill="yellow")
    return image.filter(ImageFilter.GaussianBlur(1))


def store_jxl(image, path):
    exif = Image.Exif()
    exif[ExifTags.Base.DateTime] = "2026:11:30 10:00:00"
    exif[ExifTags.Base.Orientation] = 6
    image.save(path, lossless=True, effort=3, exif=exif.tobytes())
    back = Image.open(path)
    back.load()
    assert back.format == "JXL" and np.array_equal(np.asarray(back), np.asarray(image))
    return back


def squeeze(image, path):
    image.convert("P", palette=Image.Palette.ADAPTIVE, colors=32).save(path, compress_level=0)
    before = path.stat().st_size
    oxipng.optimize(path, level=2, strip=oxipng.StripChunks.safe(), interlace=oxipng.Interlacing.Off)
    again = oxipng.optimize_from_memory(path.read_bytes(), level=1, deflate=oxipng.Deflaters.libdeflater(6))
    assert Image.open(io.BytesIO(again)).size == image.size
    return 1 - path.stat().st_size / before


def sound(path, cover):
    data = struct.pack("<4000h", *[(i * 37) % 2000 - 1000 for i in range(4000)])
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    path.write_bytes(head + b"data" + struct.pack("<I", len(data)) + data)
    wave = WAVE(path)
    wave.add_tags()
    wave.tags.add(TIT2(encoding=3, text="Größe"))
    wave.tags.add(TXXX(encoding=3, desc="vault", text=["7"]))
    wave.tags.add(APIC(encoding=0, mime="image/png", type=3, desc="", data=cover))
    wave.save()
    back = WAVE(path)
    assert back.tags["TIT2"].text == ["Größe"] and back.tags.getall("APIC")[0].data == cover
    alone = path.with_suffix(".id3")
    plain = ID3()
    plain.add(back.tags.getall("TXXX")[0])
    plain.save(alone)
    return round(back.info.length, 2), ID3(alone).getall("TXXX")[0].text


def main():
    d = Path(tempfile.mkdtemp())
    entries = []
    for seed in range(3):
        image = picture(seed)
        jxl = store_jxl(image, d / f"{seed}.jxl")
        saved = squeeze(image, d / f"{seed}.png")
        exif = jxl.getexif()
        thumb = image_to_thumbhash(ImageOps.fit(image, (32, 24)))
        entries.append(Entry(name=f"{seed}.jxl", kind=jxl.format, size=jxl.size, taken=exif.get(ExifTags.Base.DateTime), saved=saved, hash=thumb))
    frames = np.stack([np.asarray(picture(s)) for s in range(3)])
    iio.imwrite(d / "walk.gif", frames, duration=100, loop=0)
    meta = iio.improps(d / "walk.gif", index=...)
    raw = oxipng.RawImage(bytes(16), 2, 2, color_type=oxipng.ColorType.rgba()).create_optimized_png()
    length, text = sound(d / "a.wav", (d / "0.png").read_bytes())
    cover = Picture()
    cover.data, cover.mime = raw, "image/png"
    assert Picture(cover.write()).data == raw
    try:
        OggVorbis(d / "a.wav")
    except OggVorbisHeaderError as e:
        print("not ogg:", type(e).__name__)
    manifest = Manifest(entries=entries, sounds={"a.wav": length})
    (d / "manifest.json").write_text(manifest.model_dump_json())
    again = Manifest.model_validate_json((d / "manifest.json").read_text())
    assert again == manifest and all(e.saved > 0.3 for e in again.entries)
    print("OK", [e.kind for e in entries], entries[0].taken, entries[0].hash, meta.shape, length, text, Image.open(io.BytesIO(raw)).size, features.check("webp"))


main()
