"""Records of what the Python sources of a distribution say, file by file.

Nothing in them depends on the environment that the distribution is installed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

HOLE = "*"  # in a name: the part that is not written in the source


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSite:
    """A call that imports by a computed name, or that looks whether a module is there.

    `names` are absolute names with a `HOLE` for each part that the source does not spell out.
    """

    function: str  # the innermost function around the call; "" at the top of the module
    call: str  # as in the source: `import_module`, `__import__`, `find_spec`
    names: tuple[str, ...]
    package: str  # what relative names count from, as far as the call says

    @property
    def imports(self) -> bool:
        """Whether the call imports, and does not only look."""
        return self.call.lstrip("_") != "find_spec"

    @property
    def is_spelled(self) -> bool:
        """Whether all names are complete."""
        return all(HOLE not in name for name in self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCall:
    """A call with a module's name as its first argument; `name` may hold a `HOLE`, or be one.

    `origin` is the module that the function is imported from; "" for one of the distribution's own.
    """

    function: str
    name: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What one Python file says that could lead to a module or a file.

    `unreadable` is the reason where the file could not be read, and all else is empty then.
    """

    file: PurePosixPath
    unreadable: str = ""
    broken: str = ""  # why this Python cannot compile it, though a program could import it
    refused: bool = False  # this Python cannot compile it, and the distribution counts on that

    sites: tuple[ImportSite, ...] = ()
    importers: tuple[str, ...] = ()  # functions that import what their first parameter names
    calls: tuple[NamedCall, ...] = ()  # of importers, here or in another distribution
    names: tuple[str, ...] = ()  # literals such as "package.module" or "package.module:Class"
    relative_names: tuple[str, ...] = ()  # literals such as ".module", where names are computed
    beginnings: tuple[str, ...] = ()  # literals such as "package.", where names are computed
    words: tuple[str, ...] = ()  # literals that are one word, where names are computed
    lazy: bool = False  # the module's attributes are looked up by a function (PEP 562)

    starred: tuple[str, ...] = ()  # modules that it imports all names of: `from x import *`
    lists_modules: bool = False
    # `iter_modules` or `walk_packages`, and the package whose folder it lists; "" for its own.
    lists_packages: tuple[tuple[str, str], ...] = ()
    # Ends of names of packages, `templatetags` of f"{app}.templatetags", where it lists modules.
    endings: tuple[str, ...] = ()
    lists_top_level: bool = False  # all top-level modules that can be imported
    conventions: tuple[str, ...] = ()  # how names of plugins begin: "package_"
    imports_from_data: bool = False  # by functions of the standard library, as `pickle.load`
    lists_files: bool = False  # lists Python files in folders next to its code
    loads_files: bool = False  # lists Python files in some folder, and runs them as files
    folders: tuple[str, ...] = ()  # of its distribution, which it names next to `__file__`
    below_native: tuple[str, ...] = ()  # modules that it imports below native ones, as if packages
    imported: tuple[str, ...] = ()  # what it imports, where it lists modules or is compiled
    entry_point_groups: tuple[str, ...] = ()  # literals, where entry points are asked for

    parts: tuple[str, ...] = ()  # parts of literals that could name a file or a folder
    roots: tuple[str, ...] = ()  # folders with a file whose path it spells out
    reads_stub: bool = False  # reads the `.pyi` file of the module
    data_packages: tuple[str, ...] = ()  # packages whose files are opened as resources
    locates: bool = False  # opens files next to its code
    uses_file: bool = False  # by `__file__`
    shown_folder: str = ""  # the constant that tells others its own folder
    uses_prefix: bool = False  # looks for files below `sys.prefix`
    seeks_programs: bool = False  # asks where programs are installed
    asks_for_metadata: bool = False
    distributions: tuple[str, ...] = ()  # literals, where metadata is asked for

    # Modules whose source it cannot do without, or `module:name`; a `HOLE` for its callers'.
    sources_of: tuple[str, ...] = ()
    # Functions, classes, and `Class.method`, that cannot do without the source of what they are
    # handed.
    takes_sources: tuple[str, ...] = ()
    runs_main: bool = False  # runs the file of the program's first module again
    starts_python: tuple[
        str, ...
    ] = ()  # how it starts the interpreter: "-m module", "-c", "script"


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionSources:
    """The facts of all Python files of one distribution, sorted by file."""

    files: tuple[SourceFacts, ...]
