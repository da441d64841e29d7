"""A folder laid out like `site-packages`, with the owner of each file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from rustext.model.native_file import Crate

# Text and media that a package carries by the thousand: not worth opening to look for a magic
# number. A native file under such a name could be loaded only on purpose.
NEVER_NATIVE = frozenset(
    """.py .pyi .pyc .pyx .pxd .txt .md .rst .json .toml .yaml .yml .ini .cfg .csv .tsv .xml .html
    .css .js .mjs .map .ts .svg .png .jpg .jpeg .gif .ico .ttf .woff .woff2 .h .hpp .hh .c .cc .cpp
    .cu .rs .go .f .f90 .pem .zip .gz .xz .npy .npz .po .mo .tmpl .j2 .sh .bat .ps1""".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What discovery has to know of a distribution: its name and its bills of materials."""

    name: str
    version: str
    crates: tuple[Crate, ...]
    targets: frozenset[str] = frozenset()  # libraries that the crate of these materials builds


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A folder laid out like `site-packages`, and whose file is whose.

    For a wheel that is where its native files are unpacked to; `members` holds the names of those
    that an installer moves (the `.data` folders), and `wheel` the archive with all other files.
    """

    root: Path
    packages: Mapping[PurePosixPath, Package]
    members: Mapping[PurePosixPath, PurePosixPath] = field(default_factory=dict)
    wheel: Path | None = None
