"""Peak memory and time of commands over files that are made to cost much, beside the limits.

    python benchmarks/hostile_input.py [--only WORD]

The files are those of `tests/unit/verify/test_untrusted.py`: binaries with too many needs, paths,
segments and crates; FIFOs, devices, loops and sparse files in the place of others; records,
settings and plans that nest deeply or hold huge numbers and names. Each is given to one command in
a process of its own. Prints a row for each; exit code 1 where one took more than 20 s of the
processor or 600 MB, or ended with another code than 0, 1 or 2.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNIT = ROOT / "tests" / "unit"
SECONDS, MEGABYTES = 20, 600
PATIENCE = 120  # seconds of a machine that has other work to do


def inputs(room: Path) -> Iterator[tuple[str, str, list[str]]]:
    """The kind, the name and the command for each input; its files are there until the next."""
    sys.path.insert(0, str(UNIT))
    spec = importlib.util.spec_from_file_location("untrusted", UNIT / "verify/test_untrusted.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    bundle, script = room / "app", room / "main.py"
    trace, plan = room / "trace.toml", bundle / "rustext-plan.json"
    program = compile_program(room)

    def clean() -> None:
        shutil.rmtree(bundle, ignore_errors=True)
        bundle.mkdir()
        shutil.copy(program, bundle / "app")

    for name, content in {**made.COSTLY, **made.BOUNDED}.items():
        clean()
        (bundle / "evil.so").write_bytes(content)
        yield "a binary", name, ["verify", str(bundle)]
        yield "a binary", name, ["inspect", str(bundle / "evil.so")]
    for make in made.NO_FILES:
        for place in ("evil.so", "base_library.zip", "a-1.dist-info/METADATA"):
            clean()
            (bundle / place).parent.mkdir(exist_ok=True)
            make(bundle / place)
            yield "no file", f"{make.__name__}: {place}", ["verify", str(bundle)]
    clean()
    script.write_text("")
    for name, text in made.DOCUMENTS.items():
        trace.write_text(f"version = 2\n{text}\n")
        (room / "pyproject.toml").write_text(f"[tool.rustext]\n{text}\n")
        yield "a record", name, ["verify", str(bundle), "--trace", str(trace)]
        yield "settings", name, ["plan", str(script)]
    (room / "pyproject.toml").unlink()
    for name, text in made.PLANS.items():
        plan.write_text(text)
        yield "a plan", name, ["verify", str(bundle), "--plan", str(plan)]
    clean()
    for path in ("/", "/dev/zero", "/proc/self/mem"):
        yield "a path", path, ["verify", path]


def compile_program(room: Path) -> Path:
    source = room / "app.c"
    source.write_text("int main(void) { return 0; }")
    subprocess.run(["gcc", "-o", room / "program", source], check=True)
    return room / "program"


def measure(command: list[str]) -> tuple[int, float, float, float]:
    """Exit code, seconds of the processor, seconds, the peak of resident memory in megabytes."""
    start = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", "rustext", *command],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - start
    return child.returncode, usage.ru_utime + usage.ru_stime, seconds, usage.ru_maxrss * 1024 / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="a word of the kind or the name")
    args = parser.parse_args()
    print(f"Limits: {SECONDS} s, {MEGABYTES} MB\n")
    print("| input | | command | exit code | processor | seconds | peak MB |")
    print("|---|---|---|---:|---:|---:|---:|")
    worst = [0.0, 0.0]
    count = bad = 0
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        os.environ["XDG_CACHE_HOME"] = str(Path(folder, "cache"))
        for kind, name, command in inputs(Path(folder)):
            if args.only not in f"{kind} {name}":
                continue
            code, busy, seconds, megabytes = measure(command)
            count += 1
            bad += code not in (0, 1, 2) or busy > SECONDS or megabytes > MEGABYTES
            bad += seconds > PATIENCE
            worst = [max(worst[0], busy), max(worst[1], megabytes)]
            figures = f"{code} | {busy:.1f} | {seconds:.1f} | {megabytes:.0f}"
            print(f"| {kind} | {name} | `{command[0]}` | {figures} |", flush=True)
    most = f"longest {worst[0]:.1f} s of the processor, largest {worst[1]:.0f} MB"
    print(f"\n{count} runs, {bad} beyond the limits; {most}.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
