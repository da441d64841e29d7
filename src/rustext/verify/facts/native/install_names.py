"""Match Mach-O install names with the files of a bundle."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path

from rustext.discovery.extension_suffixes import split_suffix
from rustext.model.image import Format, NeedKind
from rustext.model.libraries import Edge, Missing
from rustext.model.native_file import NativeFile
from rustext.verify.bundle.bundle import Bundle


def file_names(bundle: Bundle) -> Mapping[str, tuple[Path, NativeFile]]:
    """The Mach-O files of a bundle by what a needed name may end in: file name or module name."""
    names: dict[str, tuple[Path, NativeFile]] = {}
    for path, file in bundle.files:
        if file.binary.image.format is Format.MACHO:
            names.setdefault(path.name, (path, file))
            if file.module is not None:
                names.setdefault(f"{file.module} (module)", (path, file))
    return names


def find_meant(names: Mapping[str, tuple[Path, NativeFile]], edge: Edge) -> Path | None:
    """The file of the bundle that a name means which dyld does not find; None if there is none.

    `names` are those of `file_names`. A name with the suffix of another Python means the module.
    Weak libraries may be absent; and dyld knows a file by its own name once something has loaded
    it, as packages do on purpose with names below `@rpath`.
    """
    if not isinstance(edge, Missing) or edge.kind is NeedKind.WEAK or "/" not in edge.soname:
        return None
    last = posixpath.basename(edge.soname)
    stem, suffix = split_suffix(last)
    found = names.get(last) or (names.get(f"{stem} (module)") if suffix is not None else None)
    if found is None:
        return None
    path, file = found
    if path in {refused.resolve() for refused in edge.refused}:
        return None  # it does lead there, and that file cannot be loaded
    answers = edge.soname in {image.soname for image in file.binary.images}
    return None if answers and edge.soname.startswith("@rpath/") else path
