"""The installed distributions of an environment: their files, and what they require.

In: the folders of `sys.path` that installers keep, and the interpreter's PEP 508 markers. Out:
`Installed`, which knows each `Distribution` by name and by its files
(https://packaging.python.org/en/latest/specifications/recording-installed-packages/).
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path, PurePosixPath

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from rustext.environment.records import read_record
from rustext.errors import UnreadableFile
from rustext.files.untrusted import is_utf8, read_bytes, read_text
from rustext.model.faults import Fault

_METADATA_LIMIT = 16 << 20  # bytes
_END_OF_HEADER = re.compile(r"\r?\n\r?\n")

# Groups for installers and build backends:
# https://packaging.python.org/en/latest/specifications/entry-points/#use-for-scripts,
# https://setuptools.pypa.io/en/latest/userguide/extension.html
COMMANDS = frozenset(
    {
        "console_scripts",
        "gui_scripts",
        "distutils.commands",
        "distutils.setup_keywords",
        "egg_info.writers",
        "setuptools.file_finders",
        "setuptools.finalize_distribution_options",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed distribution: what its metadata says of it."""

    name: str  # canonical (PEP 503)
    version: str
    site: Path
    metadata: PurePosixPath  # the .dist-info or .egg-info folder, relative to `site`
    requires: tuple[Requirement, ...]
    files: tuple[PurePosixPath, ...]  # relative to `site`; empty without RECORD
    entry_points: tuple[tuple[str, str], ...] = ()  # the group of each, and the module it names

    @property
    def sboms(self) -> tuple[PurePosixPath, ...]:
        """The software bills of materials that PEP 770 puts below `.dist-info/sboms`."""
        folder = (self.metadata.name, "sboms")
        inside = (f for f in self.files if len(f.parts) == 3 and f.parts[:2] == folder)
        return tuple(f for f in inside if f.suffix in {".json", ".xml"})

    def count_files(self) -> int:
        """How many of its files are there."""
        return sum(os.path.lexists(self.site / file) for file in self.files)

    def identity(self) -> str:
        """A digest of the name and version, and of the files' sizes, times and modes."""
        digest = hashlib.sha256(f"{self.name} {self.version}\n".encode())
        site = str(self.site)
        for file in self.files:
            if file.suffix != ".pyc":
                try:
                    status = os.stat(f"{site}/{file}")  # noqa: PTH116 (a Path for each takes longer)
                    row = f"{file} {status.st_size} {status.st_mtime_ns} {status.st_mode}\n"
                except OSError:
                    row = f"{file} -\n"
                digest.update(row.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


class Installed:
    """The distributions in some folders of `sys.path`; they are read when first asked for."""

    def __init__(self, sites: Sequence[Path], markers: Mapping[str, str]) -> None:
        self._sites = sites
        self._markers = markers
        self.faults: list[Fault] = []  # complete once `by_name` has been asked for

    @functools.cached_property
    def by_name(self) -> Mapping[str, Distribution]:
        """The distributions by canonical name; the first on the path wins.

        Of several in one folder, such as what a failed upgrade leaves, it is the one with most of
        its files; the others are faults.
        """
        found: dict[str, Distribution] = {}
        for site in self._sites:
            here: dict[str, Distribution] = {}
            for dist in iter_distributions(site, self.faults):
                known = here.get(dist.name)
                here[dist.name] = self._choose(known, dist) if known is not None else dist
            found = {**here, **found}
        return found

    def _choose(self, *same: Distribution) -> Distribution:
        """The one that is there; the other is noted. pip renames what it removes to `~ame`."""
        left, kept = sorted(
            same, key=lambda d: (d.metadata.name[0] != "~", d.count_files(), d.metadata.name)
        )
        reason = (
            f"{kept.name} is installed twice here, and `{kept.metadata}` is the one that counts"
        )
        effect = "the files that it alone lists are not known"
        self.faults.append(Fault(path=left.site / left.metadata, reason=reason, effect=effect))
        return kept

    @functools.cached_property
    def _owners(self) -> Mapping[str, Distribution]:
        found: dict[str, Distribution] = {}
        for dist in reversed(tuple(self.by_name.values())):
            folder = dist.site.as_posix()
            found.update((posixpath.join(folder, file), dist) for file in dist.files)
        return found

    def owner_of(self, path: Path) -> Distribution | None:
        """The distribution whose RECORD lists the file, or None."""
        return self._owners.get(path.as_posix())

    def requirements_of(self, name: str) -> frozenset[str]:
        """The canonical names of all that `name` requires here, directly or not.

        PEP 508 markers are evaluated for this interpreter; extras count where somebody asks for
        them in a requirement.
        """
        seen: set[tuple[str, frozenset[str]]] = set()
        todo: list[tuple[str, frozenset[str]]] = [(canonicalize_name(name), frozenset())]
        while todo:
            item = todo.pop()
            if item in seen:
                continue
            seen.add(item)
            dist = self.by_name.get(item[0])
            todo += self._direct(dist, item[1]) if dist is not None else ()
        return frozenset(n for n, _ in seen) - {canonicalize_name(name)}

    def named_by(self, name: str) -> frozenset[str]:
        """The canonical names that a distribution's requirements name, for an extra or not."""
        dist = self.by_name.get(name)
        return frozenset(canonicalize_name(r.name) for r in dist.requires) if dist else frozenset()

    def neighbours_of(self, name: str) -> frozenset[str]:
        """The installed distributions that `name` requires, or that require it: one step away.

        Extras count: a distribution that is installed next to one that names it works with it.
        """
        either = self.named_by(name) | self._naming.get(name, frozenset())
        return (either & self.by_name.keys()) - {name}

    @functools.cached_property
    def _naming(self) -> Mapping[str, frozenset[str]]:
        """Whose requirements name a distribution, by its canonical name."""
        found: dict[str, set[str]] = {}
        for dist in self.by_name.values():
            for requirement in dist.requires:
                found.setdefault(canonicalize_name(requirement.name), set()).add(dist.name)
        return {name: frozenset(namers) for name, namers in found.items()}

    @functools.cached_property
    def entry_points(self) -> Mapping[str, tuple[tuple[Distribution, str], ...]]:
        """The entry points by group: whose each is, and the module that it names."""
        found: dict[str, list[tuple[Distribution, str]]] = {}
        for dist in self.by_name.values():
            for group, module in dist.entry_points:
                found.setdefault(group, []).append((dist, module))
        return {group: tuple(points) for group, points in found.items()}

    def _direct(
        self, dist: Distribution, extras: frozenset[str]
    ) -> list[tuple[str, frozenset[str]]]:
        return [
            (canonicalize_name(r.name), frozenset(r.extras))
            for r in dist.requires
            if any(self._applies(r, extra) for extra in extras or {""})
        ]

    def _applies(self, requirement: Requirement, extra: str) -> bool:
        try:
            return requirement.marker is None or requirement.marker.evaluate(
                {**self._markers, "extra": extra}
            )
        except (UndefinedComparison, UndefinedEnvironmentName):  # no installer can follow it
            return False

    @functools.cached_property
    def required(self) -> frozenset[str]:
        """The canonical names that any of these require without an extra."""
        return frozenset(
            name for dist in self.by_name.values() for name, _ in self._direct(dist, frozenset())
        )


def iter_distributions(site: Path, faults: list[Fault] | None = None) -> Iterator[Distribution]:
    """The distributions installed in one folder; what cannot be read is appended to `faults`."""
    found = [] if faults is None else faults
    for raw in metadata.distributions(path=[str(site)]):
        folder = getattr(raw, "_path", None)  # no public way to it before Python 3.13's `origin`
        if isinstance(folder, Path):
            try:
                dist = _read_distribution(folder, site, found)
            except _Unreadable as error:
                found[:] = (*(f for f in found if f.path != error.fault.path), error.fault)
            else:
                yield dist


class _Files(metadata.Distribution):
    """The files of a metadata folder, where Python itself would wait for a FIFO."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read_text(self, filename: str) -> str | None:
        try:
            return read_bytes(self._folder / filename, _METADATA_LIMIT).decode("utf-8", "replace")
        except UnreadableFile:
            return None

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        return self._folder.parent / path


class _Unreadable(Exception):
    """A distribution's metadata could not be read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        effect = "the distribution that it describes is not known"
        self.fault = Fault(path=path, reason=reason, effect=effect)


def _read_distribution(folder: Path, site: Path, faults: list[Fault]) -> Distribution:
    if not is_utf8(folder.name):
        raise _Unreadable(folder, "its name is not UTF-8")
    file, fields = _read_fields(folder, faults)
    if not fields["Name"]:
        raise _Unreadable(file, "it names no distribution")
    name = canonicalize_name(str(fields["Name"]))
    if "\ufffd" in name:
        raise _Unreadable(file, "the distribution's name is not UTF-8")
    lines = fields.get_all("Requires-Dist")
    if (folder / "requires.txt").is_file():  # of an egg-info folder
        lines = lines or _Files(folder).requires
    requires, broken = _parse_requirements(map(str, lines or ()))
    if broken:
        reason = f"{', '.join(f'`{line}`' for line in broken)} is no requirement (PEP 508)"
        faults.append(Fault(path=file, reason=reason, effect="it is not followed"))
    _check_origin(folder, faults)
    return Distribution(
        name=name,
        version=str(fields["Version"] or ""),
        site=site,
        metadata=PurePosixPath(folder.name),
        requires=requires,
        files=read_record(folder / "RECORD", name, site, faults),
        entry_points=_read_entry_points(folder, faults),
    )


def _read_fields(folder: Path, faults: list[Fault]) -> tuple[Path, Message]:
    """The file of the metadata, and its header fields. An old egg-info is one file."""
    for file in (folder / "METADATA", folder / "PKG-INFO", folder):
        if os.path.lexists(file) and not file.is_dir():
            try:
                data = read_bytes(file, _METADATA_LIMIT)
            except UnreadableFile as error:
                raise _Unreadable(file, str(error)) from error
            # Without surrogates, of which the parser makes objects that raise when printed.
            text = data.decode("utf-8", "replace")
            if text.encode() != data:
                effect = "what is not UTF-8 is left out"
                faults.append(Fault(path=file, reason="some of it is not UTF-8", effect=effect))
            # The description, by far the largest part, follows the header.
            return file, HeaderParser().parsestr(_END_OF_HEADER.split(text, maxsplit=1)[0])
    raise _Unreadable(folder, "there is no METADATA in it")


def _read_entry_points(folder: Path, faults: list[Fault]) -> tuple[tuple[str, str], ...]:
    """The entry points of a distribution; none where the file is not written as it has to be.

    https://packaging.python.org/en/latest/specifications/entry-points/#file-format
    """
    file, group, found = folder / "entry_points.txt", "", []
    try:
        lines = read_text(file, _METADATA_LIMIT).splitlines() if os.path.lexists(file) else []
        for number, line in enumerate(map(str.strip, lines), 1):
            if line.startswith("[") and line.endswith("]"):
                group = line[1:-1]
            elif line and line[0] != "#":
                _, equals, value = line.partition("=")
                if not (group and equals and is_utf8(line)):
                    raise UnreadableFile(f"it does not parse (line {number})")  # noqa: TRY301
                found.append((group, value.partition(":")[0].partition("[")[0].strip()))
    except UnreadableFile as error:
        effect = "its entry points are not known"
        faults.append(Fault(path=file, reason=str(error), effect=effect))
        return ()
    return tuple(found)


def _check_origin(folder: Path, faults: list[Fault]) -> None:
    """Look at a file that only the program or an installer reads.

    https://packaging.python.org/en/latest/specifications/direct-url/
    """
    file = folder / "direct_url.json"
    try:
        if os.path.lexists(file):
            json.loads(read_text(file, _METADATA_LIMIT))
    except (UnreadableFile, ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, UnreadableFile) else f"it does not parse ({error})"
        effect = "where the distribution comes from is not known"
        faults.append(Fault(path=file, reason=reason, effect=effect))


def _parse_requirements(lines: Iterable[str]) -> tuple[tuple[Requirement, ...], list[str]]:
    """The requirements, and the lines that are none."""
    found, broken = [], []
    for line in lines:
        try:
            found.append(Requirement(line))
        except InvalidRequirement:
            broken.append(line)
    return tuple(found), broken


def folders_by_path(files: Iterable[PurePosixPath]) -> dict[str, str]:
    """For the paths of data files from some folder on, the folder that belongs to the words.

    `"pkg/page.html"` is how frameworks are told of `pkg/templates/pkg/page.html`: its folder is
    `pkg/templates`. `"data/table.txt"` in any module of `pkg` may be joined elsewhere with the
    folder of `pkg`: its folder is `pkg/data`.
    """
    found: dict[str, str] = {}
    for file in files:
        parts = file.parts
        if file.suffix in {".py", ".pyc"} or ".." in parts or len(parts) < 3:
            continue
        found["/".join(parts[1:])] = "/".join(parts[:-1])
        for place in range(2, len(parts) - 1):
            if parts[place] == parts[0]:
                found["/".join(parts[place:])] = "/".join(parts[:place])
    return found
