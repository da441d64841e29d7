"""Freeze one program in an environment with one fault after the other.

Usage: ./test --faults [--freezer FREEZER] [NAME]...

The program fails without rustext. Each fault is a file of another package, or of the program's own,
that cannot be read or is not what it should be. Builds and programs run without the rights by which
root reads any file. Writes benchmarks/faults.md, and ends with 1 where a row is not as promised: a
build that works without rustext works with it, the program runs, and the file is named once.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab import FREEZERS, HERE, PINNED, ROOT, install, uv

TABLE = ROOT / "benchmarks" / "faults.md"
RUST = "ormsgpack==1.13.1"
PROGRAM = 'import ormsgpack, bad.ormsgpack\nprint(ormsgpack.unpackb(ormsgpack.packb({"a": 1})))\n'
RESULT = "{'a': 1}\n"
METADATA = "Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n"
ORDINARY = ["setpriv", "--bounding-set=-all", "--no-new-privs"]
HUGE = 5 << 30


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to a folder of packages, and the name that a warning has to hold."""

    apply: Callable[[Path], object]
    named: str | None


def write(name: str, content: bytes | str) -> Callable[[Path], object]:
    def apply(site: Path) -> None:
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return apply


def put(name: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Something else at a place where a file may be."""

    def apply(site: Path) -> None:
        path = site / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)

    return apply


def link(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def circle(path: Path) -> None:
    path.symlink_to(path.name)


def locked(path: Path) -> None:
    path.write_text("x" * 100)
    path.chmod(0)


def locked_folder(path: Path) -> None:
    path.mkdir()
    (path / "file.py").touch()
    path.chmod(0)


def huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(HUGE)


def native(site: Path) -> bytes:
    (path,) = site.glob("ormsgpack/*.so")
    return path.read_bytes()


def damaged(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda site: (site / name).write_bytes(change(native(site)))


def odd_name(name: bytes, content: bytes = b"x") -> Callable[[Path], object]:
    def apply(site: Path) -> None:
        with open(os.fsencode(site) + b"/" + name, "wb") as stream:  # noqa: PTH123
            stream.write(content)

    return apply


def rename_folder(old: str, new: bytes) -> Callable[[Path], object]:
    return lambda site: os.rename(site / old, os.fsencode(site) + b"/" + new)  # noqa: PTH104


def append(name: str, content: bytes) -> Callable[[Path], object]:
    def apply(site: Path) -> None:
        with (site / name).open("ab") as stream:
            stream.write(content)

    return apply


def remove(pattern: str) -> Callable[[Path], object]:
    def apply(site: Path) -> None:
        (path,) = site.glob(pattern)
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return apply


INFO = "bad-1.0.dist-info"
FINDER = "MAPPING = {'gone': '/nonexistent/src/gone'}\nNAMESPACES = {}\ndef install():\n    pass\n"
ELF = b"\x7fELF\x02\x01\x01"
DEEP = "x = " + "(" * 5000 + ")" * 5000 + "\n"

FAULTS: dict[str, Fault] = {
    "RECORD links to itself": Fault(put(f"{INFO}/RECORD", circle), "RECORD"),
    "RECORD dangles": Fault(put(f"{INFO}/RECORD", link("gone")), "RECORD"),
    "RECORD is a FIFO": Fault(put(f"{INFO}/RECORD", os.mkfifo), "RECORD"),
    "RECORD is a folder": Fault(put(f"{INFO}/RECORD", Path.mkdir), "RECORD"),
    "RECORD is not readable": Fault(put(f"{INFO}/RECORD", locked), "RECORD"),
    "RECORD has 5 GB": Fault(put(f"{INFO}/RECORD", huge), "RECORD"),
    "RECORD never ends": Fault(put(f"{INFO}/RECORD", link("/dev/zero")), "RECORD"),
    "RECORD has absolute rows": Fault(append(f"{INFO}/RECORD", b"/etc/passwd,,\n"), None),
    "RECORD has rows above its folder": Fault(
        append(f"{INFO}/RECORD", b"../../../../../etc/x,,\n"), None
    ),
    "RECORD has a row that is not UTF-8": Fault(
        append(f"{INFO}/RECORD", b"bad/caf\xe9.py,,\n"), "RECORD"
    ),
    "RECORD has a row with NUL": Fault(append(f"{INFO}/RECORD", b"bad/a\0b.so,,\n"), "RECORD"),
    "RECORD has a row that is too long": Fault(
        append(f"{INFO}/RECORD", b"bad/" + b"a" * 5000 + b".so,,\n"), None
    ),
    "RECORD names files that are gone": Fault(
        append(f"{INFO}/RECORD", b"bad/gone.py,,\nbad/gone.so,,\n"), None
    ),
    "METADATA is not there": Fault(remove(f"{INFO}/METADATA"), INFO),
    "METADATA is not readable": Fault(put(f"{INFO}/METADATA", locked), "METADATA"),
    "METADATA has 5 GB": Fault(put(f"{INFO}/METADATA", huge), "METADATA"),
    "METADATA names nothing": Fault(
        write(f"{INFO}/METADATA", "Metadata-Version: 2.1\n"), "METADATA"
    ),
    "METADATA is not UTF-8": Fault(
        write(f"{INFO}/METADATA", METADATA.encode() + b"Author: caf\xe9\n"), None
    ),
    "requirements do not parse": Fault(
        append(f"{INFO}/METADATA", b"Requires-Dist: ormsgpack (>=1,, !\n"), "METADATA"
    ),
    "a marker does not parse": Fault(
        append(f"{INFO}/METADATA", b'Requires-Dist: x; python_version is "3"\n'), "METADATA"
    ),
    "a dist-info's name is not UTF-8": Fault(
        rename_folder(INFO, b"caf\xe9-1.0.dist-info"), r"caf\udce9-1.0"
    ),
    "a dist-info is a file": Fault(write("odd-1.0.dist-info", "x"), "odd-1.0.dist-info"),
    "a dist-info is not readable": Fault(put("odd-1.0.dist-info", locked_folder), "odd-1.0"),
    "a dist-info dangles": Fault(put("odd-1.0.dist-info", link("gone")), "odd-1.0.dist-info"),
    "an egg-link leads nowhere": Fault(write("odd.egg-link", "/nonexistent/odd\n."), None),
    "a path file leads nowhere": Fault(write("odd.pth", "/nonexistent/odd\n"), None),
    "a path file is not UTF-8": Fault(write("odd.pth", b"/nonexistent/caf\xe9\n"), None),
    "an editable install's source is gone": Fault(
        write("__editable___gone_1_0_finder.py", FINDER), None
    ),
    "direct_url.json does not parse": Fault(write(f"{INFO}/direct_url.json", "{"), None),
    "entry_points.txt does not parse": Fault(write(f"{INFO}/entry_points.txt", "[[[\nx"), None),
    "an SBOM does not parse": Fault(write(f"{INFO}/sboms/bad.cyclonedx.json", "{"), None),
    "a native file is not readable": Fault(put("bad/other.so", locked), "bad/other.so"),
    "a native file is cut": Fault(
        damaged("bad/other.so", lambda data: data[: len(data) // 2]), "bad/other.so"
    ),
    "a native file is empty": Fault(write("bad/other.so", b""), None),
    "a native file is a header": Fault(write("bad/other.so", ELF), "bad/other.so"),
    "a native file is text": Fault(write("bad/other.so", "INPUT(libm.so.6)\n"), None),
    "a native file dangles": Fault(put("bad/other.so", link("gone.so")), "bad/other.so"),
    "a native file links to itself": Fault(put("bad/other.so", circle), "bad/other.so"),
    "a native file is a FIFO": Fault(put("bad/other.so", os.mkfifo), "bad/other.so"),
    "a native file never ends": Fault(put("bad/other.so", link("/dev/zero")), "bad/other.so"),
    "a native file is a folder": Fault(put("bad/other.so", Path.mkdir), None),
    "a native file has 5 GB of nothing": Fault(put("bad/other.so", huge), None),
    "a native file's name is not UTF-8": Fault(odd_name(b"bad/caf\xe9.so"), None),
    "a native file's name has a line break": Fault(odd_name(b"bad/a\nb.so"), None),
    "a source is not readable": Fault(put("bad/other.py", locked), "bad/other.py"),
    "a source is not UTF-8": Fault(write("bad/other.py", b"x = '\xe9'\n"), None),
    "a source has NUL bytes": Fault(write("bad/other.py", b"x = 1\0\n"), None),
    "a source is nested too deeply": Fault(write("bad/other.py", DEEP), None),
    "a source is a FIFO": Fault(put("bad/other.py", os.mkfifo), "bad/other.py"),
    "a source does not parse": Fault(write("bad/other.py", "def f(:\n"), None),
    "a folder links to the one above": Fault(put("bad/again", link("..")), None),
    "a folder is not readable": Fault(put("bad/closed", locked_folder), "bad/closed"),
    "the program's package has no RECORD": Fault(remove("ormsgpack-*.dist-info/RECORD"), None),
    "the program's package has no METADATA": Fault(
        remove("ormsgpack-*.dist-info/METADATA"), "METADATA"
    ),
    "the program's package has no dist-info": Fault(remove("ormsgpack-*.dist-info"), None),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """How a build of the program ended, and what rustext said."""

    name: str
    freezer: str
    build: int
    runs: bool
    words: tuple[str, ...]
    wrong: str


def ordinary(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command whose user is bound by the modes of files."""
    prefix = ORDINARY if os.geteuid() == 0 else []
    return subprocess.run(
        [*prefix, *command], capture_output=True, text=True, errors="replace", check=False,
        stdin=subprocess.DEVNULL, timeout=1200, **options,
    )  # fmt: skip


def packages(python: Path, folder: Path) -> Path:
    """The packages that faults are put in: the program's, and one beside it."""
    site = folder / "packages"
    install(python, "--target", str(site), RUST)
    write("bad/__init__.py", "")(site)
    write(f"{INFO}/METADATA", METADATA)(site)
    write(
        f"{INFO}/RECORD",
        f"bad/__init__.py,,\nbad/other.py,,\nbad/other.so,,\n{INFO}/METADATA,,\n{INFO}/RECORD,,\n",
    )(site)
    shutil.copy(next(site.glob("ormsgpack/*.so")), site / "bad")
    return site


def environments(folder: Path, wheel: Path) -> tuple[Path, Path]:
    """Interpreters with the freezers, without and with rustext."""
    found = []
    for name in ("without", "with"):
        python = folder / name / "bin" / "python"
        uv("venv", "-q", "--seed", "--python", sys.executable, str(folder / name))
        install(python, "-r", str(PINNED), *([str(wheel)] if name == "with" else []))
        found.append(python)
    return found[0], found[1]


def build(
    python: Path, freezer: str, room: Path, *, rustext: bool
) -> subprocess.CompletedProcess[str]:
    out = room / ("with" if rustext else "without")
    out.mkdir()
    env = {**os.environ, "PYTHONPATH": str(room / "site"), "XDG_CACHE_HOME": str(room / "cache")}
    env |= {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "RUSTEXT_TEST_COMPILE": ""}
    if freezer == "pyinstaller":
        command = [str(python), "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    else:
        command = [str(python), "-m", "nuitka", "--assume-yes-for-downloads", "--standalone"]
        command += [f"--user-plugin={HERE / 'demote_plugin.py'}", "--quiet"]
        command += ["--enable-plugin=rustext"] if rustext else []
    return ordinary([*command, str(room / "app.py")], cwd=out, env=env)


def runs(freezer: str, room: Path) -> bool:
    """Whether the program works in a place where nothing else of the build can be found."""
    bundle = room / "with" / ("dist/app" if freezer == "pyinstaller" else "app.dist")
    moved = room / "moved"
    try:
        shutil.move(bundle, moved)
    except FileNotFoundError:
        return False
    (room / "site").rename(room / "hidden")
    program = moved / ("app" if freezer == "pyinstaller" else "app.bin")
    done = ordinary([str(program)], cwd=moved, env={"PATH": "/usr/bin:/bin"})
    return done.returncode == 0 and done.stdout == RESULT


def measure(
    name: str, faults: list[Fault], freezer: str, pythons: tuple[Path, Path], site: Path, room: Path
) -> Row:
    room.mkdir()
    (room / "app.py").write_text(PROGRAM)
    shutil.copytree(site, room / "site")
    for fault in faults:
        fault.apply(room / "site")
    done = build(pythons[1], freezer, room, rustext=True)
    without = build(pythons[0], freezer, room, rustext=False) if done.returncode else None
    lines = tuple(
        re.sub(re.escape(str(room / "site")) + "/?", "", line)
        for line in done.stderr.splitlines() + done.stdout.splitlines()
        if "rustext" in line and str(room) in line
    )
    works = runs(freezer, room)
    wrong = []
    if without is not None and without.returncode == 0:
        wrong.append("a build that worked ends with an error: " + done.stderr[-300:])
    elif without is None and not works:
        wrong.append("the program does not run")
    for fault in faults:
        times = sum(fault.named in line for line in lines) if fault.named else 1
        if times != 1:
            wrong.append(f"`{fault.named}` is named {times} times")
    if "Traceback" in done.stderr and "rustext" in done.stderr:
        wrong.append("a traceback")
    return Row(
        name=name, freezer=freezer, build=done.returncode, runs=works, words=lines,
        wrong="; ".join(wrong),
    )  # fmt: skip


def table(rows: list[Row]) -> Iterator[str]:
    good = sum(not row.wrong for row in rows)
    yield "# Faults of files in a build\n"
    yield f"`./test --faults`: {good} of {len(rows)} rows are as promised. The exit code of a build"
    yield "with rustext, whether the program runs in another folder (it fails without rustext), and"
    yield "what rustext says of the file. Where a build fails, it fails without rustext too. All of"
    yield "it runs without root's right to read any file.\n"
    yield "| fault | freezer | build | program | what rustext says |"
    yield "|---|---|---|---|---|"
    for row in rows:
        said = "<br>".join(row.words).replace("|", "\\|") or "nothing"
        said = f"**{row.wrong}** {said}" if row.wrong else said
        runs = "runs" if row.runs else "fails"
        yield f"| {row.name} | {row.freezer} | {row.build} | {runs} | {said} |"


def main() -> int:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("names", nargs="*", metavar="NAME", help="part of a fault's name")
    parser.add_argument("--freezer", choices=FREEZERS, action="append")
    args = parser.parse_args()
    chosen = {
        name: [fault] for name, fault in FAULTS.items()
        if not args.names or any(part in name for part in args.names)
    }  # fmt: skip
    if not args.names:
        chosen["none"] = []
    rows = []
    with tempfile.TemporaryDirectory(prefix="rustext-faults-") as text:
        folder = Path(text)
        uv("build", "-q", "--wheel", "--out-dir", str(folder / "wheel"), str(ROOT))
        (wheel,) = (folder / "wheel").glob("*.whl")
        pythons = environments(folder, wheel)
        site = packages(pythons[0], folder)
        for number, (freezer, (name, faults)) in enumerate(
            (freezer, item) for freezer in args.freezer or FREEZERS for item in chosen.items()
        ):
            begin = time.monotonic()
            room = folder / f"room-{number}"
            rows.append(measure(name, faults, freezer, pythons, site, room))
            subprocess.run(["chmod", "-R", "u+rwx", room], check=False, capture_output=True)
            shutil.rmtree(room, ignore_errors=True)
            print(
                f"{freezer:<12} {time.monotonic() - begin:4.0f} s  {name}: "
                f"{rows[-1].wrong or 'as promised'}", file=sys.stderr, flush=True,
            )  # fmt: skip
    if not args.names:
        TABLE.write_text("\n".join(table(rows)) + "\n")
    return int(any(row.wrong for row in rows))


if __name__ == "__main__":
    sys.exit(main())
