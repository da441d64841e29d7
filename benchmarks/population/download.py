"""Fetch the wheels of a population with pip, from the index that pip is configured for.

In: the records of a population file (`dist`, `version`, `wheel`) and a folder. Out: the folder
holds each wheel that the index still offers under exactly that file name; the rest is returned.
pip takes the tags to choose by from the file name, so wheels of any platform can be fetched.
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

WORKERS = 2  # pips at once: the index is shared
BATCH = 8  # wheels a pip
TIMEOUT = 1800  # seconds a pip

Record = Mapping[str, Any]


def download(
    records: Iterable[Record], folder: Path, *, done: Callable[[int], None] = lambda _: None
) -> tuple[Record, ...]:
    """Fetch what `folder` lacks; return the records whose wheel is not there afterwards.

    `done` hears how many records have been dealt with, after each batch.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [r for r in records if not (folder / r["wheel"]).exists()]
    with ThreadPoolExecutor(WORKERS) as pool:
        for count in pool.map(lambda batch: _fetch(batch, folder), _batches(wanted)):
            done(count)
    return tuple(r for r in wanted if not (folder / r["wheel"]).exists())


def _batches(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Wheels with the same tags, a few at a time; a distribution once in each batch."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[record["wheel"].removesuffix(".whl").split("-", 2)[2]].append(record)
    for group in groups.values():
        for start in range(0, len(group), BATCH):
            yield group[start : start + BATCH]


def _fetch(batch: Sequence[Record], folder: Path) -> int:
    """One pip for the batch; where that fails for one wheel, one pip for each."""
    if not _pip(batch, folder) and len(batch) > 1:
        for record in batch:
            _pip([record], folder)
    return len(batch)


def _pip(batch: Sequence[Record], folder: Path) -> bool:
    requirements = [f"{r['dist']}=={r['version']}" for r in batch]
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
        "--only-binary=:all:", "--ignore-requires-python", "--dest", str(folder),
        *tag_options(parse_wheel_filename(batch[0]["wheel"])[3]), *requirements,
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT)
    return ended.returncode == 0


def tag_options(tags: Iterable[Tag]) -> list[str]:
    """The options that make pip choose among wheels with these tags alone."""
    tags = sorted(tags, key=str)
    python = next(t.interpreter for t in tags)
    version = python.lstrip("abcdefghijklmnopqrstuvwxyz")
    options = ["--implementation", python[: len(python) - len(version)]]
    options += ["--python-version", version if len(version) > 1 else "3.11"]
    for platform in sorted({tag.platform for tag in tags}):
        options += ["--platform", platform]
    for abi in sorted({tag.abi for tag in tags}):
        options += ["--abi", abi]
    return options
