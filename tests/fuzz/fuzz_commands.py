"""Whole commands on damaged bundles, wheels, site-packages, records, plans, settings and caches.

    ./test --fuzz 20000 [--seed 1]

A case takes a copy of a small tree, damages one to four things in it, and runs one command in a
child process with limits of the kernel. It has to end within 20 s of the processor, 60 s in all and
600 MB, with exit code 0, 1 or 2 and without a traceback; all else is printed with the seed that
repeats it, and makes the exit code 1. A case depends on its seed alone: `1 --seed N` repeats the
Nth of any series. One in ten has the caches damaged as well that the same command has just written.
The child is forked from a process that has everything imported, so that a case takes some tens of
milliseconds. Nothing that was damaged is run.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

import forking
from archives import CODE, archive, pyz
from compiling import MODULE, compiler
from environments import install, write_files
from onefiles import payload

SECONDS, MEMORY = 20, 600 << 20
FINDER = "__editable___own_1_finder.py"  # of an editable install; names an absolute path
TIME = 1_700_000_000  # of each file's last change
MAIN = "int main(void) { return 0; }"
RUST = f'const char *p = "/rustc/{0:040}/library/core/src/x.rs"; const char *j = "json";'
TOKENS = (
    b"\0", b"\xff\xfe", b"\n", b"\r", b"[" * 5000, b"{" * 5000, b"(" * 5000, b"9" * 5000, b"../",
    b"/", b"a." * 600, b'"', b"'", b"-1", b"1e999", b"nan",
    b"\\u0000", b"\xed\xa0\x80", b"::error::",
    b"##[error]", b"\x1b[2J", b",", b":", b"= ", b"[[", b"x" * 70000, b"$ORIGIN", b"/dev/zero",
    b"\xe2\x80\xae", b"import a\n" * 300, b"null", b"true", b"{}", b"[]",
)  # fmt: skip
NAMES = ("::error::x", "##[x]", "\udcff", "a\nb", "x" * 200, ".so", "..so", "-q", "%s", "\x1b[2J")


@dataclass
class Outcome:
    """What a series of cases came to; `codes` counts exit codes."""

    cases: int = 0
    codes: dict[int, int] = field(default_factory=dict)
    slowest: float = 0.0
    largest: int = 0  # bytes
    failures: list[str] = field(default_factory=list)


def make_seeds(root: Path) -> None:
    """The tree that is damaged: each kind of input, small."""
    (root / "build").mkdir(parents=True)
    gcc = compiler(["gcc"], root / "build")
    program = gcc("app", MAIN).read_bytes()
    own = gcc("libown.so.1", "int own(void) { return 0; }", "-shared", "-fPIC").read_bytes()
    flags = ("-shared", "-fPIC", "-Wl,-rpath,$ORIGIN/../lib:/opt/lib", "-lm")
    module = gcc("demo.so", MODULE + RUST, *flags).read_bytes()
    table = [(n, (k, 17 + i * len(CODE), len(CODE))) for i, (n, k) in enumerate(
        [("a", 0), ("b", 1), ("b.c", 0)])]  # fmt: skip
    package = archive([(b"z", "PYZ.pyz", pyz(table)), (b"s", "main", CODE), (b"b", "x.so", module)])
    plan = (
        b'{"version": 1, "rustext": "0", "freezer": "nuitka", "python": "3.11", "extensions": '
        b'[{"file": "pkg/demo.so", "module": "pkg.demo", "distribution": "demo", "version": "1"}], '
        b'"modules": [{"module": "json", "verdict": "include", "reason": "r", "evidence": []}], '
        b'"left_out": [], "companions": [{"file": "pkg/data.txt", "kind": "data", "reason": "r"}], '
        b'"warnings": ["w"], "unfollowed": []}'
    )
    trace = (
        'version = 2\npython = ["3.11"]\nplatforms = ["linux-x86_64"]\nrun = ["main.py"]\n'
        '[[importer]]\nname = "pkg.demo"\nlanguage = "rust"\nimports = [\n    "json",\n]\n'
    )
    settings = '[project]\nname = "x"\n[tool.rustext]\ninclude = ["json"]\noptional = "never"\n'
    with zipfile.ZipFile(root / "library.zip", "w") as library:
        library.writestr(zipfile.ZipInfo("codecs.pyc"), b"\xa7\r\r\n" + bytes(12) + b"\xe3\0")
    bundle = {"app": program, "lib/libown.so.1": own, "pkg/demo.so": module, "pkg/__init__.py": "",
              "base_library.zip": (root / "library.zip").read_bytes(), "rustext-plan.json": plan,
              "demo-1.dist-info/METADATA": "Name: demo\nVersion: 1\n", "pkg/data.txt": "x",
              "demo-1.dist-info/RECORD": "pkg/demo.so,,\n", "_internal/x.so": own}  # fmt: skip
    write_files(root / "seeds/bundle", bundle)
    write_files(root / "seeds", {
        "one": program + package, "nuitka": program + payload([("app", program), ("d.so", module)]),
        "trace.toml": trace, "plan.json": plan, "project/pyproject.toml": settings,
        "project/main.py": "import pkg.demo, host, own.core\nimport importlib\n",
        "project/source/own/__init__.py": "", "project/source/own/core.abi3.so": module,
    })  # fmt: skip
    (root / "seeds/bundle/app").chmod(0o755)
    (root / "seeds/one").chmod(0o755)
    (root / "seeds/nuitka").chmod(0o755)
    site = root / "seeds/site"
    own_code = "import ctypes\nctypes.CDLL('libx.so')\nopen(__file__ + '/data.txt')\n"
    install(site, "demo", files={"pkg/__init__.py": own_code, "pkg/demo.so": module})
    needs = ["demo>=1; python_version > '3'"]
    lazy = "import lazy\n__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)\n"
    install(site, "host", requires=needs, files={
        "host/__init__.py": lazy, "host/__init__.pyi": "from .part import x\n",
        "host/part.py": "import yaml, json\nopen('settings.yaml')\n",
        "host/settings.yaml": "a: host.part.X\n",
        "host-1.0.dist-info/entry_points.txt": "[g]\na = pkg:b\n",
        "host-1.0.dist-info/direct_url.json": '{"dir_info": {"editable": true}}',
    })  # fmt: skip
    sbom = '{"bomFormat": "CycloneDX", "components": [{"purl": "pkg:cargo/serde@1.0.0"}]}'
    write_files(site, {
        "x.pth": "/opt\nimport sys\n", "demo-1.0.dist-info/sboms/a.cdx.json": sbom,
        "old.egg-info/PKG-INFO": "Name: old\nVersion: 1\n", "old.egg-info/requires.txt": "demo\n",
        FINDER: "MAPPING = {'own': 'ROOM/project/source/own'}\n",
    })  # fmt: skip
    for path in (root / "seeds").rglob("*"):
        os.utime(path, (TIME, TIME))
    with zipfile.ZipFile(root / "seeds/demo-1.0-py3-none-any.whl", "w") as wheel:
        for path in sorted(site.rglob("*")):
            if path.is_file():
                wheel.write(path, path.relative_to(site))


COMMANDS: tuple[Callable[[Path], list[str]], ...] = (
    lambda r: ["scan", f"{r}/bundle", "--all"],
    lambda r: ["scan", f"{r}/demo-1.0-py3-none-any.whl", "--json"],
    lambda r: ["scan"],
    lambda r: ["inspect", f"{r}/bundle/pkg/demo.so"],
    lambda r: ["inspect", f"{r}/demo-1.0-py3-none-any.whl", "--json"],
    lambda r: ["inspect", "demo"],
    lambda r: ["plan", f"{r}/project/main.py"],
    lambda r: ["plan", f"{r}/project/main.py", "--json"],
    lambda r: ["hooks", f"{r}/hooks"],
    lambda r: ["verify", f"{r}/bundle"],
    lambda r: ["verify", f"{r}/bundle", "--format", "html"],
    lambda r: ["verify", f"{r}/bundle", "--format", "sarif", "--trace", f"{r}/trace.toml"],
    lambda r: ["verify", f"{r}/bundle", "--plan", f"{r}/plan.json", "--json"],
    lambda r: ["verify", f"{r}/one"],
    lambda r: ["verify", f"{r}/nuitka", "--json"],
    lambda r: ["verify", f"{r}/bundle", "--target", "manylinux_2_17_x86_64"],
    lambda r: ["trace", "--merge", f"{r}/trace.toml", "-o", f"{r}/merged.toml"],
)


def damage(files: Sequence[Path], rng: random.Random) -> None:
    """Change one of some files, as far as they are still there."""
    files = [path for path in files if path.is_file() and not path.is_symlink()]
    path = rng.choice(files)
    kind = rng.randrange(12)
    if kind < 9:
        path.write_bytes(change(path.read_bytes(), kind, rng))
    elif kind == 9:
        path.unlink()
        rng.choice((
            lambda: os.mkfifo(path), path.mkdir, lambda: path.symlink_to(path.name), path.touch,
            lambda: path.symlink_to("/dev/zero"), lambda: path.symlink_to("/"),
            lambda: path.symlink_to(".."), lambda: None,
        ))()  # fmt: skip
    elif kind == 10:
        path.rename(path.with_name(rng.choice(NAMES) + rng.choice(("", path.suffix))))
    else:
        path.write_bytes(rng.choice(files).read_bytes())


def change(content: bytes, kind: int, rng: random.Random) -> bytes:
    """Change bytes in one to eight places, which move with the length of the content."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = int(rng.random() * (len(data) + 1))
        if kind < 4:
            data[at : at + 1] = bytes([rng.randrange(256)])
        elif kind < 6:
            data[at:at] = rng.choice(TOKENS)
        elif kind == 6:
            del data[at:]
        elif kind == 7:
            width = rng.choice((2, 4, 8))
            data[at : at + width] = rng.choice((0, 1, -1, 1 << 15)).to_bytes(
                width, "little", signed=True
            ) if width > 2 else b"\xff\xff"  # fmt: skip
        else:
            end = min(len(data), at + rng.randrange(1, 4000))
            data[at:at] = data[at:end] * rng.choice((1, 3, 50))
    return bytes(data)


def damage_caches(folder: Path, seed: int) -> None:
    """Change each file in the same way: their names tell of paths, and their order is any."""
    for path in folder.rglob("*"):
        if path.is_file():
            rng = random.Random(f"cache {seed}")
            path.write_bytes(change(path.read_bytes(), rng.randrange(9), rng))


def make_case(seeds: Path, room: Path, seed: int, *, warm: bool = True) -> list[str]:
    """The command; `room` holds the damaged files, and without `warm` no caches."""
    rng = random.Random(seed)
    shutil.rmtree(room, ignore_errors=True)
    shutil.copytree(seeds, room, symlinks=True)
    finder = room / "site" / FINDER
    finder.write_text(finder.read_text().replace("ROOM", str(room)))
    command = rng.choice(COMMANDS)(room)
    files = sorted(path for path in room.rglob("*") if path.is_file())
    if rng.random() < 0.1 and warm:
        _run(command, room)
        damage_caches(room / "cache", seed)
    for _ in range(rng.choice((1, 1, 2, 4))):
        damage(files, rng)
    return command


def _run(command: Sequence[str], room: Path) -> tuple[int, resource.struct_rusage]:
    (room.parent / "printed").unlink(missing_ok=True)
    child = os.fork()
    if not child:
        _become(command, room)
    _, status, usage = os.wait4(child, 0)
    return status, usage


def run_case(seeds: Path, room: Path, seed: int) -> tuple[int, str, float, int, list[str]]:
    """Exit code (negative: a signal), output, seconds of the processor, bytes, and the command."""
    command = make_case(seeds, room, seed)
    status, usage = _run(command, room)
    text = (room.parent / "printed").read_text(errors="replace")
    code = os.waitstatus_to_exitcode(status)
    return code, text, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10, command


def _become(command: Sequence[str], room: Path) -> None:
    printed = str(room.parent / "printed")
    os.environ["XDG_CACHE_HOME"] = str(room / "cache")
    others = (p for p in sys.path[1:] if not p.endswith("-packages"))
    sys.path[:] = [str(room / "project"), str(room / "site"), *others]
    folder = str(room / "project" if (room / "project").is_dir() else room)
    debug = ["--debug"] if command[0] != "trace" else []
    forking.become(
        [*command, *debug],
        out=printed,
        err=printed,
        folder=folder,
        seconds=SECONDS,
        memory=4 << 30,
    )


def fuzz(root: Path, *, cases: int, seed: int, log: bool = False) -> Outcome:
    """Run so many cases from a seed on."""
    forking.import_all()
    make_seeds(root)
    seeds, room = root / "seeds", root / "case"
    outcome = Outcome()
    for number in range(seed, seed + cases):
        code, text, seconds, memory, command = run_case(seeds, room, number)
        outcome.cases += 1
        outcome.codes[code] = outcome.codes.get(code, 0) + 1
        outcome.slowest = max(outcome.slowest, seconds)
        outcome.largest = max(outcome.largest, memory)
        if code not in (0, 1, 2) or "Traceback" in text or memory > MEMORY or seconds > SECONDS:
            last = [line for line in text.strip().splitlines() if line][-12:]
            outcome.failures.append(
                f"seed {number}: {' '.join(command[:1])} ended with {code} after {seconds:.1f} s, "
                f"{memory >> 20} MiB\n  " + "\n  ".join(last)
            )
            if log:
                print(outcome.failures[-1], flush=True)
        if log and outcome.cases % 500 == 0:
            print(f"{outcome.cases} cases", flush=True)
    return outcome


def main() -> int:
    """Fuzz, and say what came of it."""
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("cases", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first case")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rustext-fuzz-") as folder:
        outcome = fuzz(Path(folder), cases=args.cases, seed=args.seed, log=True)
    print(
        f"{outcome.cases} cases, {len(outcome.failures)} failures, exit codes {outcome.codes}, "
        f"slowest {outcome.slowest:.1f} s, largest {outcome.largest >> 20} MiB"
    )
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
