"""Whether rustext and the freezers' own macOS scanners find the same libraries, over real wheels.

    python benchmarks/macos_agreement.py WHEELS... [--details]

WHEELS are wheels for macOS on arm64, or folders of them. Each is unpacked, and each Mach-O file in
it is given to Nuitka's scanner, to PyInstaller's and to rustext, on any system: tests/loader_rules
has a stand-in for otool, and what answers the scanners' questions about the system. Printed is how
often PyInstaller and rustext agree on what is missing, and what Nuitka makes of a file's own
install name. Exit code 1 means that the two differ somewhere, or that rustext takes an own name for
a library. A wheel that adds to another one's package is judged without it. Needs Nuitka,
PyInstaller and macholib.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rustext.binary import is_native, read_binary
from rustext.loader import Loader
from rustext.model import Format, Missing
from rustext.resolve import Resolver

RULES = Path(__file__).parents[1] / "tests" / "loader_rules"
SYSTEM = ("/usr/lib/", "/System/Library/")  # macholib knows the system's libraries on a Mac alone


def ask_scanners(site: Path, files: list[Path], tools: Path) -> list[dict[str, dict]]:
    """The answers of both scanners for the files of one wheel."""
    questions = []
    for file in files:
        folder = file.parent.relative_to(site)
        package = ".".join(folder.parts) if (file.parent / "__init__.py").exists() else ""
        questions.append(json.dumps({"package": package, "path": str(file)}))
    done = subprocess.run(
        [sys.executable, str(RULES / "macos_scanners.py"), str(site), str(files[0])],
        input="\n".join(questions),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    if len(lines) != len(files):
        raise SystemExit(f"{site.name}: {len(lines)} answers for {len(files)} files\n{done.stderr}")
    return [json.loads(line.removeprefix("ANSWER ")) for line in lines]


def judge(nuitka: dict, own: set[str], missing: set[str]) -> str:
    """What Nuitka makes of a file's own install name."""
    if not own:
        return "no install name"
    if nuitka["stops"]:
        return "Nuitka stops at a missing library" if missing else "Nuitka stops at its own name"
    if own & nuitka["found"].keys():
        return "Nuitka takes its own name for another file"
    return "Nuitka knows its own name"


def compare_wheel(wheel: Path, tools: Path) -> Iterator[tuple[str, bool, str]]:
    """For each Mach-O file: its name, whether PyInstaller and rustext agree, and on Nuitka."""
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder).resolve() / "site"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
        native = (p for p in sorted(site.rglob("*")) if p.is_file() and is_native(p))
        files = [p for p in native if read_binary(p).image.format is Format.MACHO]
        resolver = Resolver(loader=Loader())
        for file, answer in zip(
            files, ask_scanners(site, files, tools) if files else [], strict=True
        ):
            graph = resolver.resolve(file)
            # neither scanner tells libraries that may be absent from others
            missing = {edge.soname for edge in graph.edges if isinstance(edge, Missing)}
            own = {image.soname for image in read_binary(file).images if image.soname}
            theirs = {
                name
                for name, path in answer["pyinstaller"].items()
                if path is None and not name.startswith(SYSTEM)
            }
            agree = missing == theirs and not own & {edge.soname for edge in graph.edges}
            name = f"{wheel.name}: {file.relative_to(site)}"
            yield name, agree, judge(answer["nuitka"], own, missing)


def iter_wheels(places: list[Path]) -> Iterator[Path]:
    for place in places:
        for wheel in sorted(place.glob("*.whl")) if place.is_dir() else [place]:
            if "-macosx" in wheel.name and wheel.stem.endswith(("arm64", "universal2")):
                yield wheel


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheels", type=Path, nargs="+")
    parser.add_argument("--details", action="store_true", help="print each file that stands out")
    options = parser.parse_args()
    agreed: Counter[bool] = Counter()
    verdicts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as tools:
        otool = Path(tools, "otool")
        command = shlex.join([sys.executable, str(RULES / "otool.py")])
        otool.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        otool.chmod(0o755)
        for wheel in iter_wheels(options.wheels):
            for name, agree, verdict in compare_wheel(wheel, Path(tools)):
                agreed[agree] += 1
                verdicts[verdict] += 1
                if options.details and (not agree or verdict.startswith("Nuitka stops at its")):
                    print(f"{name}: {verdict}{'' if agree else '; PyInstaller differs'}")
    total = sum(agreed.values())
    print(f"PyInstaller and rustext agree on {agreed[True]} of {total} files")
    for verdict, number in verdicts.most_common():
        print(f"{number:5} {verdict}")
    return 0 if total and not agreed[False] else 1


if __name__ == "__main__":
    sys.exit(main())
