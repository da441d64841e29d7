"""Find the names that a bundle's modules and packages can be imported by."""

from __future__ import annotations

import os
from pathlib import Path

from rustext.discovery.extension_suffixes import split_suffix
from rustext.discovery.module_names import importer_name, packages_of
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.bundle.program import Program


def importable_modules(bundle: Bundle) -> frozenset[str]:
    """The bundle's modules, and those whose name no import statement could say.

    `importlib.import_module` and native code import such files all the same: mypyc calls the
    library of a group of modules by a digest.
    """
    unsaid = {
        importer_name(file.path)
        for _, file in bundle.files
        if file.module is None and split_suffix(file.path.name)[1] is not None
    }
    return bundle.modules | unsaid


def find_packages(bundle: Bundle, program: Program, modules: frozenset[str]) -> set[str]:
    """The packages that modules are in.

    In PyInstaller's archive those without code have an entry too: a package that has none is gone,
    but for one that is a folder.
    """
    packages = {parent for name in modules for parent in packages_of(name)}
    if program.archive is None:
        return packages
    files = {parent for name in bundle.shared for parent in packages_of(name)}
    return {n for n in packages if n in modules or n in files or _is_folder(bundle.contents, n)}


def _is_folder(contents: Path, package: str) -> bool:
    """Whether there is a folder of a name that may be none for a file."""
    return os.path.isdir(f"{contents}/{package.replace('.', '/')}")  # noqa: PTH112 (no errors)
