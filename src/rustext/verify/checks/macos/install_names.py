"""Find names in Mach-O files that mean a file of the bundle and do not lead to it.

In: a `Subject` with dyld's answers. Out: the finding `install-name`. dyld goes by the names of
needed libraries: one that leads elsewhere is an error. A file's own name (LC_ID_DYLIB) is what it
answers to once it is loaded, and is never looked for: an odd one is worth a note.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path

from rustext.model.findings import Finding, Severity
from rustext.model.image import Format
from rustext.model.libraries import Edge, Missing
from rustext.model.native_file import NativeFile
from rustext.verify.common_findings import cut
from rustext.verify.facts.native.libraries import file_names, find_meant
from rustext.verify.subject import Subject

# The system's, and where delocate says that a library was copied (`delocate/delocating.py`).
_NOBODYS = ("/usr/lib/", "/System/", "/DLC/")
_OTHER_PYTHON = "install-name-other-python"  # of `rustext.discovery.module_names`
_MAX_SHOWN = 20


def check_install_names(subject: Subject) -> Iterator[Finding]:
    """Find needed names that ought to lead into the bundle, and own names of other machines."""
    if subject.bundle.image.format is not Format.MACHO:
        return
    names = file_names(subject.bundle)
    said = set()
    for edge in subject.edges:
        target = find_meant(names, edge)
        if target is not None and (edge.soname, edge.needed_by) not in said:
            said.add((edge.soname, edge.needed_by))
            yield _misnamed(subject, edge, target)
    odd = [
        ("file", f"{subject.inside(path)}: {name}")
        for path, file in subject.bundle.files
        for name in _odd_names(file)
    ]
    if odd:
        yield Finding(
            id="install-name",
            severity=Severity.NOTE,
            subject=subject.bundle.path.name,
            message="files call themselves by a name of the machine or Python that built them",
            evidence=cut(odd, _MAX_SHOWN),
            hint="nothing to do: dyld does not look for a file's own name; to keep build paths out "
            "of a release, `install_name_tool -id NAME FILE` and sign it again",
        )


def _misnamed(subject: Subject, edge: Edge, target: Path) -> Finding:
    up = posixpath.relpath(str(target), str(edge.needed_by.parent))
    tried = (
        [subject.inside(Path(place.path)) for place in edge.searched]
        if isinstance(edge, Missing)
        else []
    )
    nowhere = "nowhere: no file on the way has a run path"
    return Finding(
        id="install-name",
        severity=Severity.ERROR,
        subject=edge.soname,
        message=f"`{edge.soname}` does not lead to `{target.name}`, which is in the bundle",
        evidence=(
            ("needed by", subject.inside(edge.needed_by)),
            ("it is", subject.inside(target)),
            *(("searched", path) for path in dict.fromkeys(tried or [nowhere])),
        ),
        hint=f"`install_name_tool -change {edge.soname} @loader_path/{up} FILE` for the file that "
        "needs it, and sign it again",
    )


def _odd_names(file: NativeFile) -> Iterator[str]:
    """Own names that are a path of another machine, or for another Python than the file."""
    for name in dict.fromkeys(i.soname for i in file.binary.images if i.format is Format.MACHO):
        if name is None:
            continue
        foreign = name.startswith("/") and not name.startswith(_NOBODYS)
        if foreign or _OTHER_PYTHON in file.naming:
            yield name
