"""Match crate rules, those of `data/crates.toml` and a project's own, with a native file."""

from __future__ import annotations

import functools
import mmap
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from rustext.data import read_data
from rustext.environment.environment import Environment
from rustext.files.codec import from_plain
from rustext.formats.binary import map_file
from rustext.model.crate_rule import CrateRule
from rustext.model.native_file import Crate, NativeFile


@functools.cache
def known_rules() -> tuple[CrateRule, ...]:
    """The rules of `data/crates.toml`."""
    rules: tuple[CrateRule, ...]
    rules = from_plain(tuple[CrateRule, ...], read_data("crates")["rule"])
    return rules


def iter_crate_rules(
    file: NativeFile, data: mmap.mmap, rules: Iterable[CrateRule], *, private: Iterable[Crate] = ()
) -> Iterator[tuple[CrateRule, str]]:
    """Those of some rules that speak of this file, each with its evidence in words.

    What is installed is not looked at: that is each rule's `when`. Nor is which modules the file
    names, which `named` asks for. The crate of a file's binding need not be listed in it, nor
    those that are `private`.
    """
    from rustext.imports.strings.name_refs import text_regions  # noqa: PLC0415  (a cached answer needs none of it)

    made = file.provenance
    own = Crate(name=made.binding.value, version=made.pyo3, source="binding")
    crates = {c.name: c for c in (*private, own, *reversed(made.crates))}
    regions = tuple(region for image in file.binary.images for region in text_regions(image))

    def holds(text: str) -> bool:
        word = text.encode("ascii")
        return any(data.find(word, r.offset, r.offset + r.size) >= 0 for r in regions)

    for rule in rules:
        crate = crates.get(rule.crate)
        if (
            crate is not None
            and _fits(rule.versions, crate.version)
            and all(map(holds, rule.strings))
        ):
            label = f"crate {crate.name} {crate.version or '(unknown version)'} ({crate.source})"
            yield rule, f"{label}: {rule.why}; {rule.source}"


def find_own_rules(
    path: Path, file: NativeFile, rules: tuple[CrateRule, ...]
) -> tuple[tuple[CrateRule, str], ...]:
    """Those of a project's rules that speak of a file; raises as `map_file`."""
    if not rules:
        return ()
    with map_file(path) as data:
        marks = ((rule.crate, _find_mark(rule.crate, file, data)) for rule in rules)
        private = (Crate(name=name, version=None, source=mark) for name, mark in marks if mark)
        return tuple(iter_crate_rules(file, data, rules, private=private))


def _find_mark(crate: str, file: NativeFile, data: mmap.mmap) -> str | None:
    """What a crate leaves in a file that comes from no registry: a name, or its sources' folder.

    A symbol holds the length of the crate's name before the name, in both manglings:
    https://doc.rust-lang.org/rustc/symbol-mangling/v0.html
    """
    word = crate.replace("-", "_")
    for init in file.binary.image.python_inits:
        if init.removeprefix("PyInit").strip("_") == word.strip("_"):
            return init
    name, both = word.encode(), b"(?:%s|%s)" % (re.escape(word).encode(), re.escape(crate).encode())
    symbol = re.search(rb"_(?:ZN)?%d%s" % (len(name), re.escape(name)), data)
    found = symbol or re.search(rb"(?<![-_])%s[/\\]src[/\\]" % both, data)
    return found[0].decode("ascii") if found is not None else None


def _fits(versions: str, version: str | None) -> bool:
    if version is None:
        return True
    try:
        return SpecifierSet(versions).contains(Version(version), prereleases=True)
    except InvalidVersion:  # a crate's pre-release need not be a PEP 440 version
        return True


def is_installed(requirement: str, env: Environment) -> bool:
    """Whether the environment fulfils a requirement (PEP 508); an empty one always is."""
    if not requirement:
        return True
    wanted = Requirement(requirement)
    installed = env.distributions.get(canonicalize_name(wanted.name))
    if installed is None:
        return False
    try:
        return wanted.specifier.contains(Version(installed.version), prereleases=True)
    except InvalidVersion:
        return not wanted.specifier
