"""Whether rustext and the freezers' own macOS scanners find the same libraries, over real wheels.

    python benchmarks/macos_agreement.py WHEELS... [--details]

WHEELS are wheels for macOS on arm64, or folders of them. Each is unpacked, and each Mach-O file in
it is given to Nuitka's scanner, to PyInstaller's and to rustext, on any system: tests/loader_rules
has a stand-in for otool, and what answers the scanners' questions about the system. Printed is how
often PyInstaller and rustext agree on what is missing, what Nuitka makes of a file's own install
name, and at how many files it stops without rustext's plugin and with it. With it, each file is
also copied into a bundle by Nuitka, and has to stand there unchanged (`install_name_tool` does
nothing here). Exit code 1 means that the two differ somewhere, that rustext takes an own name for a
library, or that Nuitka with the plugin stops at a file that needs no missing library, leaves one
out, or stops at a missing library that the plugin has not named before. A wheel that adds to
another one's package is judged without it. Needs Nuitka, PyInstaller, macholib and ziglang.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import shlex
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rustext.formats.binary import is_native, read_binary
from rustext.loaders.resolver import Resolver
from rustext.loaders.rules import Loader
from rustext.model.image import Format
from rustext.model.libraries import Missing

RULES = Path(__file__).parents[1] / "tests" / "loader_rules"
PLUGIN = Path(__file__).parents[1] / "plugins" / "RustextPlugin.py"
SYSTEM = ("/usr/lib/", "/System/Library/")  # macholib knows the system's libraries on a Mac alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was found out about one file."""

    name: str
    agree: bool  # PyInstaller and rustext, on what is missing
    verdict: str  # what Nuitka makes of the file's own name
    stops: bool
    stops_with_plugin: bool
    good: bool  # with the plugin: in the bundle, or stopped at a missing library that was named


def ask_scanners(
    site: Path, files: list[Path], tools: Path, bundles: Path | None = None
) -> tuple[list[dict[str, dict]], str]:
    """The answers of both scanners for the files of one wheel, and all that was printed.

    With `bundles` Nuitka has the plugin, and copies each file into a folder in there.
    """
    questions = []
    for number, file in enumerate(files):
        folder = file.parent.relative_to(site)
        package = ".".join(folder.parts) if (file.parent / "__init__.py").exists() else ""
        question = {"package": package, "path": str(file)}
        if bundles is not None:
            question["bundle"] = str(bundles / str(number))
            Path(question["bundle"]).mkdir(parents=True)
        questions.append(json.dumps(question))
    plugin = [str(PLUGIN)] if bundles is not None else []
    done = subprocess.run(
        [sys.executable, str(RULES / "macos_scanners.py"), str(site), str(tools / "main"), *plugin],
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
    answers = [json.loads(line.removeprefix("ANSWER ")) for line in lines]
    return answers, " ".join((done.stdout + done.stderr).split())


def judge(nuitka: dict, own: set[str], missing: set[str]) -> str:
    """What Nuitka makes of a file, above all of its own install name."""
    if nuitka["stops"]:
        return "Nuitka stops at a missing library" if missing else "Nuitka stops at its own name"
    if not own:
        return "no install name"
    if own & nuitka["found"].keys():
        return "Nuitka takes its own name for another file"
    return "Nuitka knows its own name"


def compare_wheel(wheel: Path, tools: Path) -> Iterator[Judged]:
    """Judge each Mach-O file of a wheel."""
    with tempfile.TemporaryDirectory() as folder:
        site, bundles = Path(folder).resolve() / "site", Path(folder).resolve() / "bundles"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)
        native = (p for p in sorted(site.rglob("*")) if p.is_file() and is_native(p))
        files = [p for p in native if read_binary(p).image.format is Format.MACHO]
        if not files:
            return
        resolver = Resolver(loader=Loader())
        without, _ = ask_scanners(site, files, tools)
        helped, said = ask_scanners(site, files, tools, bundles)
        for number, file in enumerate(files):
            answer, with_plugin = without[number], helped[number]["nuitka"]
            graph = resolver.resolve(file)
            # neither scanner tells libraries that may be absent from others
            missing = {edge.soname for edge in graph.edges if isinstance(edge, Missing)}
            own = {image.soname for image in read_binary(file).images if image.soname}
            theirs = {
                name
                for name, path in answer["pyinstaller"].items()
                if path is None and not name.startswith(SYSTEM)
            }
            if with_plugin["stops"]:
                good = any(f"'{file}' needs '{name}', which is nowhere" in said for name in missing)
            else:
                good = any(
                    Path(name).name == file.name
                    and filecmp.cmp(bundles / str(number) / name, file, shallow=False)
                    for name in with_plugin["copied"]
                )
            yield Judged(
                name=f"{wheel.name}: {file.relative_to(site)}",
                agree=missing == theirs and not own & {edge.soname for edge in graph.edges},
                verdict=judge(answer["nuitka"], own, missing),
                stops=answer["nuitka"]["stops"],
                stops_with_plugin=with_plugin["stops"],
                good=good,
            )


def prepare_tools(folder: Path) -> None:
    """What the scanners call: otool, an install_name_tool that does nothing, and a program."""
    otool = shlex.join([sys.executable, str(RULES / "otool.py")])
    for name, command in {"otool": f'exec {otool} "$@"', "install_name_tool": "exit 0"}.items():
        tool = folder / name
        tool.write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
        tool.chmod(0o755)
    source = folder / "main.c"
    source.write_text("int main(void) { return 0; }\n", encoding="utf-8")
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-macos"]
    subprocess.run([*compiler, "-o", str(folder / "main"), str(source)], check=True, timeout=300)


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
    parser.add_argument(
        "--details", action="store_true", help="print each file that stands out, on stderr"
    )
    options = parser.parse_args()
    judged: list[Judged] = []
    with tempfile.TemporaryDirectory() as tools:
        prepare_tools(Path(tools))
        wheels = tuple(iter_wheels(options.wheels))
        for number, wheel in enumerate(wheels, 1):
            print(f"\r{number} of {len(wheels)} wheels", end="", file=sys.stderr, flush=True)
            for file in compare_wheel(wheel, Path(tools)):
                judged.append(file)
                if options.details and (file.stops or not file.agree or not file.good):
                    print(f"\r{file.name}: {describe(file)}", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    agreed = sum(file.agree for file in judged)
    stops, bad = sum(file.stops for file in judged), sum(not file.good for file in judged)
    print("| | |\n|---|---|")
    print(f"| files for which rustext and PyInstaller agree | {agreed} of {len(judged)} |")
    for verdict, number in Counter(file.verdict for file in judged).most_common():
        print(f"| {verdict} | {number} |")
    print(f"| **in all** | {len(judged)} |")
    print(f"| Nuitka without the plugin stops | {stops} |")
    print(f"| Nuitka with the plugin stops | {sum(file.stops_with_plugin for file in judged)} |")
    print(f"| with the plugin left out, changed, or stopped at without a word | {bad} |")
    return 0 if judged and agreed == len(judged) and not bad else 1


def describe(file: Judged) -> str:
    after = "stops with the plugin too" if file.stops_with_plugin else "in the bundle with it"
    parts = [file.verdict, after, "" if file.good else "NOT AS IT SHOULD"]
    return "; ".join([*filter(None, parts), *([] if file.agree else ["PyInstaller differs"])])


if __name__ == "__main__":
    sys.exit(main())
