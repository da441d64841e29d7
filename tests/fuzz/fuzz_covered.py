"""Readers of untrusted bytes, fuzzed by what they execute (atheris, libFuzzer).

    ./test --fuzz-readers [SECONDS] [--target NAME]...

Each target of `fuzz_targets.py` gets SECONDS (60), from the inputs in `tests/fuzz/inputs` on. Small
inputs that execute something new are added there, and what executes nothing that a smaller one does
not is taken out. A target that raises what is no error of rustext's, takes 10 s or 600 MB leaves
the input in `.cache/fuzz`, and the exit code is 1. `.ci/run` gives each target the inputs that are
kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import marshal
import plistlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

from archives import CODE, archive, pyz
from crafted import elf
from onefiles import payload
from pip._vendor import distlib

ROOT = Path(__file__).resolve().parents[2]
INPUTS = Path(__file__).with_name("inputs")
ATHERIS = "atheris==3.0.0"
LARGEST = 1024  # bytes of an input that is kept


def fuzz_one(name: str, arguments: list[str]) -> None:
    """In a child: become libFuzzer, which ends the process."""
    import atheris  # type: ignore[import-not-found]

    with atheris.instrument_imports(include=["rustext", "fuzz_targets"]):
        import fuzz_targets
    atheris.Setup([sys.argv[0], *arguments], lambda data: fuzz_targets.call(name, data))
    atheris.Fuzz()


def seed_inputs(folder: Path) -> None:
    """Inputs of each kind to begin with; a cut file leads a reader a part of the way."""
    folder.mkdir(parents=True)
    text = "import a\ntry:\n import b\nexcept ImportError: b = open(__file__)\ndef f(): a.b(b)\n"
    code = marshal.dumps(compile(text, "m", "exec"))
    table = [(name, (kind, 17 + i * len(CODE), len(CODE))) for i, (name, kind) in enumerate(
        [("a", 0), ("b", 1), ("b.c", 0)])]  # fmt: skip
    command = struct.pack("<6I8s", 12, 32, 24, 0, 0, 0, b"x.dylib\0")  # LC_LOAD_DYLIB
    plan = {
        "version": 1, "rustext": "0", "freezer": "nuitka", "python": "3.11",
        "extensions": [{"file": "p/d.so", "module": "p.d", "distribution": "d", "version": "1"}],
        "modules": [{"module": "json", "verdict": "include", "reason": "r", "evidence": []}],
        "left_out": [], "warnings": ["w"], "unfollowed": [],
        "companions": [{"file": "p/d.txt", "kind": "data", "reason": "r"}],
    }  # fmt: skip
    cache = struct.pack("<20sIIB3xI12x", b"glibc-ld.so.cache1.1", 1, 9, 2, 0)
    cache += struct.pack("<iIIIQ", 3, 72, 76, 0, 0) + b"a.so\0/a.so\0"
    launcher = Path(distlib.__file__).with_name("t64.exe")
    seeds = {
        "archive": archive([(b"z", "P.pyz", pyz(table)), (b"s", "m", CODE), (b"b", "x.so", b"x")]),
        "cache": cache,
        "code": b"\1" + code,
        "elf": elf(("needed", "libx.so.1"), ("runpath", "$ORIGIN/a:/b"), interpreter="/lib/ld.so"),
        "macho": struct.pack("<8I", 0xFEEDFACF, 0x100000C, 0, 6, 1, 32, 0, 0) + command,
        "pe": launcher.read_bytes()[:2048],
        "plan": json.dumps(plan).encode(),
        "plist": plistlib.dumps({"a": [1, 2.5, b"x"]}, fmt=plistlib.FMT_BINARY),
        "sbom": b'{"bomFormat": "CycloneDX", "metadata": {"component": {"purl": "pkg:cargo/a@1", '
        b'"components": [{"type": "library", "name": "a"}]}}, "components": [{"purl": '
        b'"pkg:cargo/b@1.0%2B2"}]}',
        "settings": b'include = ["json"]\noptional = "never"\n',
        "source": text.encode(),
        "trace": b'version = 2\npython = ["3.11"]\nplatforms = ["linux-x86_64"]\nrun = ["m.py"]\n'
        b'[[importer]]\nname = "p.d"\nlanguage = "rust"\nimports = [\n    "json",\n]\n',
    }
    for number, (compressed, packed) in enumerate([(False, False), (True, False), (True, True)]):
        made = payload([("a", b"x"), ("b/c", b"y" * 9)], compressed=compressed, archive=packed)
        seeds[f"payload{number}"] = bytes([compressed | packed << 1]) + made[3:]
    for name, content in seeds.items():
        (folder / name).write_bytes(content)


def executed(name: str, data: bytes) -> set[tuple[str, int, int]]:
    """The steps from line to line that a target takes in rustext's code."""
    from fuzz_targets import call

    steps = set()

    def watch(frame: FrameType, event: str, argument: object) -> Any:
        file, last = frame.f_code.co_filename, 0
        if "rustext" not in file:
            return None

        def step(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal last
            steps.add((file, last, frame.f_lineno))
            last = frame.f_lineno
            return step

        return step

    sys.settrace(watch)
    try:
        call(name, data)
    finally:
        sys.settrace(None)
    return steps


def keep_inputs(name: str, folders: list[Path]) -> None:
    """Keep, from the smallest on, what executes something that none before it did."""
    paths = [path for folder in folders for path in folder.iterdir()]
    contents = sorted({path.read_bytes() for path in paths}, key=lambda data: (len(data), data))
    seen: set[tuple[str, int, int]] = set()
    kept = INPUTS / name
    shutil.rmtree(kept)
    kept.mkdir()
    for content in contents:
        if len(content) <= LARGEST and not (new := executed(name, content)) <= seen:
            seen |= new
            (kept / hashlib.sha256(content).hexdigest()[:12]).write_bytes(content)


def run_target(name: str, seconds: int) -> tuple[bool, str]:
    """Whether all went well, and libFuzzer's last line of figures."""
    faults = ROOT / ".cache" / "fuzz" / name
    command = [sys.executable, __file__, "--become", name, f"-max_total_time={seconds}"]
    command += ["-timeout=10", "-rss_limit_mb=600", f"-artifact_prefix={faults}/"]
    with tempfile.TemporaryDirectory(prefix="rustext-fuzz-") as text:
        folders = [Path(text, "found"), INPUTS / name, Path(text, "seeds")]
        seed_inputs(folders[-1])
        for folder in (*folders, faults):
            folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [*command, *map(str, folders)],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, errors="replace",
            check=False,
        )  # fmt: skip
        if not done.returncode:
            keep_inputs(name, folders)
    runs = re.findall(r"^#\d+\s+DONE +(.*) corp|^Done (.*)$", done.stderr, re.MULTILINE)
    last = "; ".join("".join(run) for run in runs) or done.stderr[-3000:]
    return done.returncode == 0, last


def main() -> int:
    if "--become" in sys.argv:
        fuzz_one(sys.argv[2], sys.argv[3:])
    from fuzz_targets import TARGETS

    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("seconds", type=int, nargs="?", default=60, help="for each target")
    parser.add_argument("--target", choices=TARGETS, action="append")
    args = parser.parse_args()
    install = [sys.executable, "-m", "pip", "install", "--quiet", ATHERIS]
    subprocess.run(install, check=True)
    good = True
    for name in args.target or TARGETS:
        well, last = run_target(name, args.seconds)
        good &= well
        print(f"{name}: {'no fault' if well else 'FAULT'}; {last}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
