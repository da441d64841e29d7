"""What is known of how a program starts: the modules that it gets to, and those that it lacks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from rustext.model.image import Format, Image
from rustext.verify.bundle.program import Program

_PLATFORMS = {Format.ELF: "linux", Format.MACHO: "darwin", Format.PE: "win32"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingModule:
    """A module that a program cannot start without, and the chain of imports that leads to it.

    With `module`, it is a name that this module lacks.
    """

    name: str
    chain: tuple[str, ...]  # from the program's script to the module that imports it
    module: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFile:
    """A library or, with `data`, another file that a module opens next to itself by these names."""

    module: str
    names: tuple[str, ...]
    certain: bool  # whether the module cannot be imported where it is missing
    words: frozenset[str] = frozenset()  # the names of files and folders in its texts
    data: bool = False
    # Where it is, of data: a path from the bundle's contents on, which begins with a slash, or the
    # end of one.
    paths: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()  # files of its names that it does not find
    respelled: bool = False  # whether one of them is where it looks, in other letters
    # The folder that the system goes through to it, where the path goes up from there by `..`.
    through: PurePosixPath | None = None
    computed: bool = False  # whether its package imports modules by names that it computes


@dataclass(slots=True, kw_only=True)
class Start:
    """How far a program's start was followed."""

    program: Program
    reached: dict[str, str | None] = field(default_factory=dict)  # by whom each was imported
    # Those of the others that are imported in every run, and have to be whole if they are there.
    intact: dict[str, str | None] = field(default_factory=dict)
    tried: dict[str, str | None] = field(default_factory=dict)  # the rest, that it can do without
    missing: list[MissingModule] = field(default_factory=list)
    opened: list[OpenedFile] = field(default_factory=list)
    # Modules that import by a call, each with all the names; with none if not all are told.
    computed: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    # The packages below which code asks for resources by names that it completes.
    completed: frozenset[str] = frozenset()
    # Modules, and packages in the bundle that they may ask the metadata of.
    asked: list[tuple[str, str]] = field(default_factory=list)
    reads_source: list[str] = field(default_factory=list)  # functions, with their modules
    loads_classes: list[str] = field(default_factory=list)  # likewise, by paths that they get
    imports_listed: list[str] = field(default_factory=list)  # likewise, of folders that they list
    searches: list[str] = field(default_factory=list)  # likewise, through all modules
    runs_files: frozenset[str] = frozenset()  # packages with code that runs the files of folders
    adds_folders: str | None = None  # a module that adds to `sys.path`, if there is one
    opaque: list[str] = field(default_factory=list)  # modules whose code could not be read
    unread: list[str] = field(default_factory=list)  # the same, with those it can do without
    followed: bool = False  # whether the program's code could be followed at all
    reason: str = "no readable bytecode starts it"  # why not

    def chain(self, name: str) -> tuple[str, ...]:
        """The imports that lead to a module, from the script on."""
        found: list[str] = []
        at: str | None = name
        while at is not None and at not in found:
            found.append(at)
            at = self.reached.get(at, self.intact.get(at, self.tried.get(at)))
        return tuple(reversed(found))


class _Untold:
    """A part of the interpreter's version that a bundle does not tell: nothing compares with it."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise TypeError


MACHINE = "platform.machine()"  # a key of `platform_facts` that is no name


def platform_facts(image: Image, python: tuple[int, int]) -> dict[str, object]:
    """What code asks about its platform, as far as the bundle says."""
    return {
        "TYPE_CHECKING": False,
        "typing.TYPE_CHECKING": False,
        "sys.version_info": (*python, _Untold()),
        "sys.platform": _PLATFORMS[image.format],
        "os.name": "nt" if image.format is Format.PE else "posix",
        MACHINE: image.architecture,
    }
