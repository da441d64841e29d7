"""What a dynamic loader knows, and the interface that each platform's rules fill in.

In: nothing but arguments: environment variables, the file-system root and the current directory
are fields of `Loader`, so that a program for one machine can be judged on another. Out: the
records that `Resolver` and the rules of `glibc`, `musl`, `dyld` and `windows` share.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from rustext.errors import RustextError
from rustext.model.image import Binary, Image
from rustext.model.libraries import FoundBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """All that a loader would know when it loads a file; the default knows nothing.

    Paths of type `str` are those that the loaded program sees: below a foreign `root` they are
    relative to it. Paths of type `Path` are files of this machine, inside `root` or not.
    """

    root: Path = Path("/")
    cwd: str = "/"
    executable: Path | None = None  # what runs; None: the file that is asked for is on its own
    library_path: tuple[str, ...] = ()  # LD_LIBRARY_PATH; DYLD_* is ignored by hardened programs
    loaded: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))
    secure: bool = False  # AT_SECURE: set-user-ID programs
    hwcaps: tuple[str, ...] = ()  # glibc-hwcaps folders that the processor supports, best first
    platform: str | None = None  # $PLATFORM; None: the architecture's AT_PLATFORM
    dll_directories: tuple[Path, ...] = ()  # os.add_dll_directory, in order

    def with_environ(self, environ: Mapping[str, str]) -> Loader:
        """Return this loader with the search path of an environment's LD_LIBRARY_PATH.

        Colons and semicolons separate, as in ld.so(8); an empty item is the current directory.
        """
        value = environ.get("LD_LIBRARY_PATH", "")
        return replace(self, library_path=tuple(re.split("[:;]", value)) if value else ())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mapped:
    """An image in the process: what glibc calls a link map.

    `name` is its path in the loader's spelling, `origin` the folder that `$ORIGIN` or
    `@loader_path` stands for, `loader` the image that needed it (None for the program itself and
    for what is opened with `dlopen`, which inherits nothing from its caller).
    """

    image: Image
    path: Path
    name: str
    origin: str
    loader: Mapped | None = None

    def chain(self) -> Iterator[Mapped]:
        """Yield this image, the one that needed it, and so on up."""
        image: Mapped | None = self
        while image is not None:
            yield image
            image = image.loader


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file that the loader would try next, and the rule that sends it there."""

    how: FoundBy
    path: str  # in the loader's spelling; relative to the current directory if not absolute
    silent: bool = False  # an optional variant, worth a word only where it exists
    refused: str | None = None  # why the loader knows of the file and does not open it


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why an existing file is not taken; `final`: the loader gives up instead of going on."""

    reason: str
    final: bool = False


class Rules(ABC):
    """The rules of one platform's loader, for one process."""

    # Whether all libraries of a level are loaded before those that they need.
    breadth_first: ClassVar[bool] = True

    def preloaded(self) -> Iterable[tuple[str, Path]]:
        """Return what is in every process before its program, by name."""
        return ()

    def key(self, mapped: Mapped, name: str) -> str:  # noqa: ARG002
        """Return the name under which a needed library is looked up among those loaded."""
        return name

    @abstractmethod
    def names(self, mapped: Mapped, needed: str | None) -> Iterable[str]:
        """Return the keys under which an image counts as loaded from now on.

        `needed` is the key that it was found for, None for one that is opened by path.
        """

    @abstractmethod
    def places(self, mapped: Mapped, name: str) -> Iterator[Place]:
        """Yield the files that are tried for a library that `mapped` needs, in order."""

    @abstractmethod
    def select(self, found: Binary | RustextError) -> Image | Rejection:
        """Return the image of a file that this process can load, or why there is none."""
