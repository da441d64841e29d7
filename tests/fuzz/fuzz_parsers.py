"""Mutated and truncated native files through the parsers.

    python -m tests.fuzz.fuzz_parsers --runs 200000 --seed 1 FILE...

Each run takes one of the files, damages it in one to six places, most of them among the bytes that
the parser reads, and parses it. A run must end in images that keep their promises or in
`InvalidBinary`; anything else is printed with the seed that repeats it, and makes the exit code 1.
The same files, runs and seed give the same inputs.
"""

from __future__ import annotations

import argparse
import gc
import random
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rustext.errors import InvalidBinary
from rustext.formats.binary import parse_binary
from rustext.formats.elf.header import MAGIC
from rustext.formats.elf.image import parse_elf, parse_elf_symbols
from rustext.formats.macho.code_signature import iter_damage, parse_signature
from rustext.formats.reader import Reader
from rustext.model.image import Binary

HANG = 20  # seconds after which a run is given up
EDGES = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 63) - 1)


class Hang(BaseException):
    """A run took longer than `HANG` seconds."""


@dataclass
class Sample:
    """A real file, in memory that can be damaged and mended, and where the parser reads it."""

    path: Path
    data: bytearray
    spans: list[tuple[int, int]]


@dataclass
class Outcome:
    """What a series of runs came to."""

    runs: int = 0
    accepted: int = 0
    refused: int = 0
    slowest: float = 0.0
    slowest_run: str = ""
    failures: list[str] = field(default_factory=list)


def load(path: Path) -> Sample:
    """Read a file, and watch a parser read it."""
    data = bytearray(path.read_bytes())
    spans: list[tuple[int, int]] = []
    with _watching(spans):
        _read_signatures(parse_binary(memoryview(data), path), memoryview(data))
    return Sample(path, data, sorted(set(spans)))


@contextmanager
def _watching(spans: list[tuple[int, int]]) -> Iterator[None]:
    require, name = Reader.require, Reader.name

    def watched_require(self: Reader, offset: int, size: int, what: str) -> None:
        if size <= 1 << 16:  # not segments and slices, which are only checked to be there
            spans.append((self._start + offset, self._start + offset + size))
        require(self, offset, size, what)

    def watched_name(self: Reader, offset: int, what: str, *, end: int | None = None) -> str:
        text = name(self, offset, what, end=end)
        spans.append((self._start + offset, self._start + offset + len(text) + 1))
        return text

    Reader.require, Reader.name = watched_require, watched_name  # type: ignore[method-assign]
    try:
        yield
    finally:
        Reader.require, Reader.name = require, name  # type: ignore[method-assign]


def fuzz(samples: Sequence[Sample], *, runs: int, seed: int) -> Outcome:
    """`runs` damaged files through `parse_binary`."""
    outcome = Outcome()
    for number in range(runs):
        label = f"{seed}:{number}"
        rng = random.Random(label)
        sample = rng.choice(samples)
        length, undo = _damage(sample, rng)
        _run(memoryview(sample.data)[:length], f"{label} {sample.path.name}", outcome)
        for position, old in reversed(undo):
            sample.data[position : position + len(old)] = old
    return outcome


def _run(data: memoryview, label: str, outcome: Outcome) -> None:
    start = time.perf_counter()
    outcome.runs += 1
    try:
        with _alarm():
            if data[:4] == MAGIC:
                with suppress(InvalidBinary):
                    parse_elf(data, linkage=True)
                    parse_elf_symbols(data)
            binary = parse_binary(data, Path("damaged"))
            _read_signatures(binary, data)
        _check(binary, len(data))
    except InvalidBinary:
        outcome.refused += 1
    except (Exception, Hang) as error:  # noqa: BLE001 - to find what else may come is the purpose
        outcome.failures.append(f"{label}: {type(error).__name__}: {error}")
    else:
        outcome.accepted += 1
    duration = time.perf_counter() - start
    if duration > outcome.slowest:
        outcome.slowest, outcome.slowest_run = duration, label


@contextmanager
def _alarm() -> Iterator[None]:
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(number: int, frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, HANG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _read_signatures(binary: Binary, data: memoryview) -> None:
    for image in binary.images:
        signature = parse_signature(data, image)
        if signature is not None:
            for text in iter_damage(data, image, signature):
                text.encode()
            signature.entitlements()


def _check(binary: Binary, size: int) -> None:
    """What the later stages rely on: places lie in the file, and texts can be printed."""
    for image in binary.images:
        assert image.offset + image.size <= size
        places = [(s.offset, s.size) for s in (*image.segments, *image.sections)]
        places += [image.signature] if image.signature else []
        for offset, length in places:
            assert offset >= 0
            assert length >= 0
            assert not length or offset + length <= size
        addresses = [s.address for s in image.segments]
        assert addresses == sorted(addresses)
        texts = [image.soname, image.interpreter, *image.rpath, *image.runpath]
        texts += [n.name for n in image.needed] + [s.name for s in image.sections]
        texts += [t for v in image.versions for t in (v.library, v.version)]
        texts += image.python_inits
        for text in texts:
            (text or "").encode()  # a lone surrogate would raise
        assert list(image.python_inits) == sorted(set(image.python_inits))
        assert image.glibc_floor is None or image.glibc_floor


def _damage(sample: Sample, rng: random.Random) -> tuple[int, list[tuple[int, bytes]]]:
    """Damage `sample.data` in place; the length to cut it to, and how to undo the rest."""
    undo: list[tuple[int, bytes]] = []
    size = len(sample.data)
    length = size
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        if rng.random() < 0.12:
            end = _position(sample, rng) if rng.random() < 0.7 else size - rng.randrange(256)
            length = min(length, max(end, 0))
            continue
        position = _position(sample, rng)
        new = rng.choice(_MUTATIONS)(sample.data, position, rng)[: size - position]
        undo.append((position, bytes(sample.data[position : position + len(new)])))
        sample.data[position : position + len(new)] = new
    return length, undo


def _position(sample: Sample, rng: random.Random) -> int:
    if sample.spans and rng.random() < 0.9:
        start, end = rng.choice(sample.spans)
        return min(rng.randrange(start, max(end, start + 1)), len(sample.data) - 1)
    return rng.randrange(len(sample.data))


def _flip_bits(data: bytearray, position: int, rng: random.Random) -> bytes:
    return bytes([data[position] ^ 1 << rng.randrange(8)])


def _random_bytes(data: bytearray, position: int, rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((1, 2, 4, 8, 64)))


def _edge_number(data: bytearray, position: int, rng: random.Random) -> bytes:
    width = rng.choice((1, 2, 4, 8))
    near = (len(data), position, len(data) - position)
    value = rng.choice(EDGES) if rng.random() < 0.5 else rng.choice(near) + rng.randrange(-9, 10)
    return (value % (1 << 8 * width)).to_bytes(width, rng.choice(("little", "big")))


def _arithmetic(data: bytearray, position: int, rng: random.Random) -> bytes:
    layout = rng.choice(("<H", "<I", "<Q", ">I", ">Q"))
    width = struct.calcsize(layout)
    old = bytes(data[position : position + width]).ljust(width, b"\0")
    value = struct.unpack(layout, old)[0] + rng.randrange(-64, 65)
    return struct.pack(layout, value % (1 << 8 * width))


def _filler(data: bytearray, position: int, rng: random.Random) -> bytes:
    return bytes([rng.choice((0, 0xFF, 1, 0x41))]) * rng.choice((4, 16, 256, 4096))


def _copy_from_elsewhere(data: bytearray, position: int, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    return bytes(data[start : start + rng.choice((4, 8, 24, 56, 512))])


_MUTATIONS: tuple[Callable[[bytearray, int, random.Random], bytes], ...] = (
    _flip_bits,
    _flip_bits,
    _random_bytes,
    _edge_number,
    _edge_number,
    _arithmetic,
    _filler,
    _copy_from_elsewhere,
)


def _peak_memory() -> str:
    try:
        import resource
    except ImportError:
        return "not measured on this system"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    samples = [load(path) for path in options.files]
    total = sum(len(s.data) for s in samples)
    gc.collect()
    start = time.perf_counter()
    outcome = fuzz(samples, runs=options.runs, seed=options.seed)
    duration = time.perf_counter() - start
    print(f"{len(samples)} files of {total / 1e6:.1f} MB in all, seed {options.seed}")
    print(f"{outcome.runs} runs in {duration:.0f} s")
    print(f"{outcome.accepted} read, {outcome.refused} refused")
    print(f"slowest run: {outcome.slowest * 1000:.1f} ms ({outcome.slowest_run})")
    print(f"peak memory of the process, files included: {_peak_memory()}")
    print(f"failures: {len(outcome.failures)}")
    for failure in outcome.failures[:50]:
        print(f"  {failure}")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
