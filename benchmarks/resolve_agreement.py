"""Whether rustext finds the libraries that ldd finds, over real wheels.

    python benchmarks/resolve_agreement.py WHEELS... [--details]

WHEELS are wheels, or folders of them. Each wheel for glibc on this machine's architecture is
unpacked, and each native file in it is resolved twice: by `ldd`, which makes the real loader map
it, and by rustext. For each file the two have to name the same libraries, found in the same files,
and the same missing ones. Prints Markdown. Exit code 1 means that they differed somewhere;
`--details` prints where.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import parse_wheel_filename

from rustext.errors import RustextError
from rustext.formats.binary import is_native, read_binary
from rustext.loaders.resolver import Resolver
from rustext.loaders.rules import Loader
from rustext.model.image import Format, ImageKind
from rustext.model.libraries import Resolved

Found = dict[str, str | None]  # the file of each name; None: there is none


@dataclass(frozen=True)
class Comparison:
    """What both said about one file."""

    file: str
    ldd: Found
    rustext: Found

    @property
    def differences(self) -> list[str]:
        """One line for each name on which the two differ."""
        names = sorted(self.ldd.keys() | self.rustext.keys())
        said = [(n, self.ldd.get(n, "silent"), self.rustext.get(n, "silent")) for n in names]
        return [f"{n}: ldd {ldd}, rustext {own}" for n, ldd, own in said if ldd != own]


def ask_ldd(file: Path) -> Found | None:
    """Parse ldd's answer; None where it refuses the file.

    A name with a slash, the loader's own among them, is printed as the path alone.
    """
    done = subprocess.run(
        ["ldd", file],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
    )
    if "statically linked" in done.stdout:
        return {}
    if done.returncode:
        return None
    pattern = re.compile(r"^\t(\S+)(?: => (not found|\S+))?(?: \(0x\w+\))?$", re.MULTILINE)
    lines = pattern.findall(done.stdout)
    return {
        name.rpartition("/")[2]: None if path == "not found" else path or name
        for name, path in lines
        if not name.startswith("linux-vdso")
    }


def ask_rustext(resolver: Resolver, file: Path) -> Found:
    """What is mapped, under the name that it was asked for by first.

    The file itself is mapped before all: what it needs may need it in turn.
    """
    found: Found = {}
    paths: set[str | None] = {str(file)}
    for edge in resolver.resolve(file).edges:
        path = str(edge.path) if isinstance(edge, Resolved) else None
        name = edge.soname.rpartition("/")[2]
        if name not in found and (path is None or path not in paths):
            found[name] = path
            paths.add(path)
    return found


def iter_wheels(places: Iterable[Path]) -> Iterator[Path]:
    """The wheels for glibc on this machine's architecture."""
    for place in places:
        for wheel in sorted(place.glob("*.whl")) if place.is_dir() else [place]:
            *_, tags = parse_wheel_filename(wheel.name)
            wanted = f"_{platform.machine()}"
            if any(t.platform.endswith(wanted) and "linux" in t.platform for t in tags) and not any(
                t.platform.startswith("musllinux") for t in tags
            ):
                yield wheel


def compare_wheel(wheel: Path, skipped: Counter[str]) -> Iterator[Comparison]:
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        resolver = Resolver(loader=Loader())
        for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
            reason = unfit(file)
            if reason is not None:
                if reason:
                    skipped[reason] += 1
                continue
            theirs = ask_ldd(file)
            if theirs is None:
                skipped["refused by ldd"] += 1
                continue
            name = f"{wheel.name}: {file.relative_to(folder)}"
            yield Comparison(name, theirs, ask_rustext(resolver, file))


def unfit(file: Path) -> str | None:
    """Why a file cannot be asked about, "" for one that nobody would ask about."""
    try:
        if not is_native(file):
            return ""
        image = read_binary(file).image
    except RustextError:
        return "not readable"
    if image.format is not Format.ELF or image.architecture != platform.machine():
        return "for another platform"
    return None if image.kind in {ImageKind.SHARED, ImageKind.EXECUTABLE} else "not loadable"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheels", type=Path, nargs="+")
    parser.add_argument("--details", action="store_true", help="print each difference")
    options = parser.parse_args()
    count: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for wheel in iter_wheels(options.wheels):
        count["wheels"] += 1
        for comparison in compare_wheel(wheel, skipped):
            count["files"] += 1
            count["libraries"] += len(comparison.ldd)
            count["missing"] += sum(path is None for path in comparison.ldd.values())
            count["agreed"] += not comparison.differences
            if comparison.differences and options.details:
                print(comparison.file, *comparison.differences, sep="\n    ", file=sys.stderr)
    print("| | |\n|---|---|")
    print(f"| wheels | {count['wheels']} |")
    print(f"| files for which rustext and `ldd` agree | {count['agreed']} of {count['files']} |")
    print(f"| libraries that they need, all told | {count['libraries']} |")
    print(f"| missing libraries among these | {count['missing']} |")
    for reason, number in sorted(skipped.items()):
        print(f"| files left out: {reason} | {number} |")
    return 0 if count["files"] and count["agreed"] == count["files"] else 1


if __name__ == "__main__":
    sys.exit(main())
