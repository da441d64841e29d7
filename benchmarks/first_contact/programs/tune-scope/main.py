"""Looks into tunes: music21 reads the sheets, the notes are rendered to sound files, librosa analyses them, OpenCV and Pillow draw the picture, Polars holds the table."""
import tempfile
from pathlib import Path

import click
import cv2
import librosa
import music21
import numpy as np
import orjson
import polars as pl
import soundfile as sf
from librosa.feature import inverse
from music21 import converter, instrument, key, stream
from PIL import Image, ImageDraw
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

HERE = Path(__file__).resolve().parent


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rate: int = Field(ge=8000, le=48000)
    hop: int = 512
    instrument: str
    formats: list[str]
    features: list[str]

    @field_validator("formats")
    @classmethod
    def known_format(cls, value):
        unknown = set(value) - set(sf.available_formats())
        if unknown:
            raise ValueError(f"no such format: {sorted(unknown)}")
        return value


def sheets(settings):
    voice = getattr(instrument, settings.instrument)()
    for path in sorted((HERE / "sheets").iterdir()):
        if path.suffix == ".tntxt":
            score = converter.parse("tinynotation: " + path.read_text().strip())
        else:
            score = converter.parse(path, forceSource=True)
        part = score.parts[0] if isinstance(score, stream.Score) else score
        part.insert(0, voice.__class__())
        yield path.stem, score


def describe(score):
    notes = list(score.recurse().notes)
    found = score.analyze("key")
    numerals = [music21.roman.romanNumeralFromChord(music21.chord.Chord([n]), found).romanNumeral for n in notes[:4]]
    up = score.transpose("M2")
    return {"notes": len(notes), "key": found.name, "beats": float(sum(n.quarterLength for n in notes)), "numerals": numerals,
            "first_up": up.recurse().notes[0].nameWithOctave, "ambitus": score.analyze("ambitus").simpleName}


def render(score, settings, tempo=120):
    pieces = []
    for note in score.recurse().notes:
        seconds = float(note.quarterLength) * 60 / tempo
        time = np.arange(int(seconds * settings.rate)) / settings.rate
        envelope = np.minimum(1, np.minimum(time / 0.02, (seconds - time) / 0.05))
        pieces.append(envelope * sum(np.sin(2 * np.pi * note.pitch.frequency * k * time) / k ** 2 for k in (1, 2, 3)))
    return (0.5 * np.concatenate(pieces)).astype(np.float32)


def files(folder, name, sound, settings):
    """Writes the sound in every format and reads it back by block."""
    kept = {}
    for kind in settings.formats:
        path = folder / f"{name}.{kind.lower()}"
        sf.write(path, sound, settings.rate, format=kind)
        with sf.SoundFile(path) as file:
            blocks = sum(len(b) for b in file.blocks(blocksize=4096))
            kept[kind] = (file.subtype, blocks == len(sound))
    return kept


def analyse(path, settings):
    y, rate = librosa.load(path, sr=settings.rate, duration=4)
    frames = {}
    for name in settings.features:
        function = getattr(librosa.feature, name)
        arguments = {} if name in ("rms", "zero_crossing_rate") else {"sr": rate}
        frames[name] = function(y=y, hop_length=settings.hop, **arguments)
    harmonic, percussive = librosa.effects.hpss(y)
    pitch = librosa.yin(y[: rate * 2], fmin=librosa.note_to_hz("C3"), fmax=librosa.note_to_hz("C7"), sr=rate)
    onsets = librosa.onset.onset_detect(y=y, sr=rate, units="time")
    tempo = librosa.feature.tempo(y=y, sr=rate)
    best = librosa.midi_to_note(int(np.median(librosa.hz_to_midi(pitch).round())))
    mel = librosa.feature.melspectrogram(y=y, sr=rate, n_mels=64)
    stretched = librosa.effects.time_stretch(y, rate=2.0)
    return mel, {"shapes": {k: v.shape[0] for k, v in frames.items()}, "pitch": best, "onsets": len(onsets) >= 3, "tempo": 50 < float(tempo[0]) < 250,
                 "harmonic": bool((harmonic ** 2).sum() > (percussive ** 2).sum()), "half": round(len(stretched) / len(y), 1),
                 "back": inverse.mel_to_stft(mel[:, :4], sr=rate).shape[0], "trimmed": len(librosa.effects.trim(y)[0]) <= len(y)}


def picture(folder, name, mel):
    decibel = librosa.power_to_db(mel, ref=np.max)
    gray = cv2.normalize(decibel, None, 0, 255, cv2.NORM_MINMAX, cv2.CV_8U)
    colour = cv2.applyColorMap(cv2.resize(cv2.flip(gray, 0), (256, 128), interpolation=cv2.INTER_AREA), cv2.COLORMAP_MAGMA)
    edges = cv2.Canny(colour, 60, 120)
    cv2.imwrite(str(folder / f"{name}.png"), colour)
    with Image.open(folder / f"{name}.png") as image:
        ImageDraw.Draw(image).text((4, 4), name, fill="white")
        image.save(folder / f"{name}.webp", quality=80)
        image.convert("P", palette=Image.Palette.ADAPTIVE, colors=16).save(folder / f"{name}.gif")
    return cv2.imread(str(folder / f"{name}.webp")).shape, bool(edges.any())


def exports(score, folder, name):
    made = []
    for kind, suffix in (("musicxml", "musicxml"), ("midi", "mid"), ("text", "txt")):
        target = score.write(kind, fp=folder / f"{name}.{suffix}")
        made.append(Path(target).suffix)
    again = converter.parse(folder / f"{name}.musicxml", forceSource=True)
    return made, len(list(again.recurse().notes))


@click.group()
def cli():
    """Looks into tunes."""


@cli.command()
@click.option("--settings", "path", type=click.Path(path_type=Path, exists=True), default=HERE / "tune-scope.json")
def scope(path):
    """All sheets, from the notes to the picture."""
    settings = Settings.model_validate(orjson.loads(path.read_bytes()))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, score in sheets(settings):
            facts = describe(score)
            sound = render(score, settings)
            kept = files(folder, title, sound, settings)
            mel, found = analyse(folder / f"{title}.flac", settings)
            click.echo(f"{title}: {found}")
            click.echo(f"  {kept} {picture(folder, title, mel)} {exports(score, folder, title)}")
            rows.append({"title": title, **facts})
        table = pl.DataFrame(rows).sort("title")
        table.write_ipc(folder / "tunes.arrow")
        click.echo(pl.read_ipc(folder / "tunes.arrow").drop("numerals").write_csv())
        click.echo(str(table.select(pl.col("numerals").list.join("-")).to_series().to_list()))


@cli.command()
def keys():
    """Keys and intervals by name."""
    names = [key.Key(k).relative.name for k in ("C", "d", "A-")]
    click.echo(f"{names} {music21.interval.Interval('P5').semitones} {instrument.fromString('Klarinette').instrumentName} {librosa.key_to_notes('G:maj')[6]}")


def main():
    cli(["keys"], standalone_mode=False)
    cli(["scope"], standalone_mode=False)
    try:
        Settings(rate=22050, instrument="Violin", formats=["WAV", "TAPE"], features=[])
    except ValidationError as exc:
        click.echo(f"rejected {exc.errors()[0]['msg']}")
    try:
        sf.read(HERE / "tune-scope.json")
    except sf.LibsndfileError as exc:
        click.echo(f"refused {exc.error_string}")
    click.echo("OK three tunes")


if __name__ == "__main__":
    main()
