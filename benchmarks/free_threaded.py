"""Whether `scan` and `verify` judge free-threaded and `abi3t` wheels as their tags and symbols do.

    python benchmarks/free_threaded.py [WHEELS] [--libpython FILE]...

WHEELS is a folder for the wheels of `NAMES`, which are downloaded first: of each distribution the
newest one for Linux on x86-64 with the tags of `ABIS`. Each is unpacked, and judged for each Python
of `KINDS`. Printed is a table of what `rustext verify --python KIND` says, compared with
`packaging.tags`: whether pip would install the wheel there. `scan` has to name a module for each
file with a suffix of Python's. Each LIBPYTHON is a library of a Python with the global lock: where
a module calls a function of Python's that the library of its version lacks, no such Python may be
said to fit. Exit code 1 where one of these differs. Needs pip, packaging 26.3 or later, and `nm`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from packaging.tags import cpython_tags
from packaging.utils import parse_wheel_filename

from rustext.cli.main import run

WHEELS = Path(__file__).parents[1] / ".cache" / "benchmarks" / "free-threaded"
NAMES = ("bcrypt", "blake3", "cffi", "cryptography", "hf-xet", "jiter", "msgspec", "nh3",
         "ormsgpack", "pydantic-core", "python-bidi", "rignore", "rpds-py", "safetensors",
         "tiktoken", "tokenizers", "uuid-utils", "watchfiles")  # fmt: skip
ABIS = (("3.13", "cp313t"), ("3.14", "cp314t"), ("3.15", "cp315t"), ("3.15", "abi3t"))
CONTROL = ("3.14", "cp314")  # with the lock
KINDS = ("3.13", "3.13t", "3.14", "3.14t", "3.15", "3.15t")
PLATFORMS = ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64",
             "manylinux2014_x86_64")  # fmt: skip
OTHERS = {"python-abi", "ext-suffix"}  # the findings that say that a Python does not fit


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheels", type=Path, nargs="?", default=WHEELS)
    parser.add_argument("--libpython", type=Path, action="append", default=[])
    args = parser.parse_args()
    exports = {version_of(library): python_names(library, "TDB") for library in args.libpython}
    download(args.wheels)
    wrong: list[str] = []
    head = " | ".join(KINDS)
    print(f"| wheel | calls what these lack | {head} |\n|---|---:|{'---|' * len(KINDS)}")
    count = 0
    for wheel in sorted(args.wheels.glob("*_x86_64.whl")):
        count += 1
        with tempfile.TemporaryDirectory() as name:
            zipfile.ZipFile(wheel).extractall(name)
            lacking = {k: v for k, v in exports.items() if calls(Path(name)) - v}
            wrong += unnamed(wheel)
            cells = []
            for kind in KINDS:
                accepts = accepted(wheel, kind)
                fits = judged(Path(name), kind)
                cells.append("fits" if fits else "other")
                if fits is not accepts:
                    cells[-1] += ", pip differs"
                    wrong.append(f"{wheel.name} with {kind}: pip {accepts}, verify {fits}")
                if fits and kind in lacking:
                    wrong.append(f"{wheel.name} calls what {kind} lacks, and verify does not say")
        short = "-".join(wheel.name.split("-")[:4])
        print(f"| {short} | {', '.join(sorted(lacking)) or '-'} | {' | '.join(cells)} |")
    print(f"\n{count} wheels, {count * len(KINDS)} judgements, {len(wrong)} differ.")
    print(*(f"- {line}" for line in wrong), sep="\n")
    return 1 if wrong else 0


def download(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    have = {path.name.partition("-")[0] for path in folder.glob("*.whl")}
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    for name in NAMES:
        if name.replace("-", "_") in have:
            continue
        for version, abi in (*ABIS, CONTROL):
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder]
            command += ["--only-binary=:all:", "--implementation=cp", *platforms]
            command += [f"--python-version={version}", f"--abi={abi}", name]
            subprocess.run(command, check=False, stderr=subprocess.DEVNULL)  # not each has each


def accepted(wheel: Path, kind: str) -> bool:
    """Whether pip would install the wheel with this Python."""
    tags = parse_wheel_filename(wheel.name)[3]
    version = (3, int(kind.rstrip("t").partition(".")[2]))
    abi = f"cp{version[0]}{version[1]}{'t' if kind.endswith('t') else ''}"
    return not tags.isdisjoint(cpython_tags(version, [abi], sorted({t.platform for t in tags})))


def judged(folder: Path, kind: str) -> bool:
    """Whether `verify` finds no module for another Python."""
    report = rustext("verify", str(folder), "--json", "--python", kind)
    return OTHERS.isdisjoint(f["id"] for f in report["findings"] if f["severity"] == "error")


def unnamed(wheel: Path) -> Iterator[str]:
    """The files with a suffix of Python's that `scan` names no module for."""
    for row in rustext("scan", str(wheel), "--all", "--json", "--no-cache")["extensions"]:
        if re.search(r"\.(cpython-|abi3)", row["file"]) and row["module"] is None:
            yield f"{wheel.name}: `{row['file']}` is no module: {row['explanation']}"


def rustext(*arguments: str) -> dict:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        run(list(arguments))
    return json.loads(printed.getvalue())


def calls(folder: Path) -> set[str]:
    """Python's functions and objects that files of a folder ask for."""
    modules = [path for path in folder.rglob("*.so") if "Py" in path.read_bytes().decode("latin-1")]
    return set().union(*(python_names(path, "U") for path in modules))


def python_names(file: Path, kinds: str) -> set[str]:
    lines = subprocess.check_output(["nm", "-D", file], text=True).splitlines()
    found = (line.split()[-2:] for line in lines)
    return {name for kind, name in found if kind in kinds and name.startswith(("Py", "_Py"))}


def version_of(library: Path) -> str:
    """The version in the name of a libpython."""
    return re.search(r"python(3\.\d+)", library.name).group(1)


if __name__ == "__main__":
    sys.exit(main())
