"""Run tests with each Python: pyenv's, and Debian's newest ones in a root of their own.

Usage: ./test --pythons [VERSION]... [-- PYTEST ARGUMENT]...
       ./test --pythons [VERSION]... --programs [OPTION]...

Without arguments for pytest, these are the unit tests. With `--programs`, some of the example apps
and of the corpus are frozen with each Python, without and with rustext, and run; the rows go to
`benchmarks/pythons`, and what is in them is not frozen again. Options are those of
`tests/freezing/matrix.py`: `--freezer nuitka --only packed`; without `--freezer`, it is
PyInstaller.

Debian's Pythons need root (for debootstrap, unshare and pivot_root) and some 2 GB below
`.cache/pythons`; they see this checkout at its own path. Ends with a line for each version, and
with 1 where one of them fails.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from debian import mirror

HERE = Path(__file__).resolve()
CHECKOUT = HERE.parent.parent
CACHE = CHECKOUT / ".cache" / "pythons"
RELEASE = "forky"
DEBIANS = ("3.14", "3.15")
VERSIONS = ("3.10", "3.11", "3.12", "3.13", *DEBIANS)
PACKAGES = (
    *(f"{name}{v}" for v in DEBIANS for name in ("python", "idle-python")),
    *(f"python{v}-{part}" for v in DEBIANS for part in ("venv", "dev")),
    *("python3", "python3-tk", "g++", "libc6-dev", "patchelf", "ccache", "strace", "git"),
)
TABLE = CHECKOUT / "benchmarks" / "pythons"
# Each needs rustext, with one freezer at least, and most have wheels for each of these Pythons.
EXAMPLES = ("packed", "config_check", "tokens", "wallet_keys")
FOLDERS = ("tests/freezing/programs", "benchmarks/pythons/programs")
PYTEST = ("-m", "pytest", "-p", "no:cacheprovider")
UNIT_TESTS = ("-q", "-n2", "--dist=loadfile", "-m", "not network and not heavy", "tests/unit")
WANTED = (f"{CHECKOUT}[completion,nuitka,onefile,pyinstaller]", "build", "furo", "jsonschema",
          "mypy", "myst-parser", "pefile", "pytest", "pytest-timeout", "pytest-xdist", "ruff",
          "setuptools", "sphinx", "uv", "zstandard", "ziglang")  # fmt: skip
SHARED = (CHECKOUT, Path.home() / ".cargo", Path.home() / ".rustup")
FILES = ("etc/pip.conf", "etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt")


def main() -> int:
    arguments = sys.argv[1:]
    mark = next((a for a in arguments if a in {"--", "--programs"}), None)
    at = len(arguments) if mark is None else arguments.index(mark)
    versions, others = arguments[:at] or VERSIONS, arguments[at + 1 :]
    if mark == "--programs":
        results = {v: run(v, freezing(v, others)) for v in versions}
        (TABLE / "table.md").write_text(as_markdown())
    else:
        results = {v: run(v, [*PYTEST, *(others or UNIT_TESTS)]) for v in versions}
    for version, code in results.items():
        print(f"{version:<6} {'pass' if code == 0 else f'fails: exit code {code}'}")
    return int(any(results.values()))


def freezing(version: str, options: list[str]) -> list[str]:
    """The command that freezes the programs with a version's interpreter."""
    programs = [p.name for folder in FOLDERS for p in sorted((CHECKOUT / folder).iterdir())]
    command = ["tests/freezing/matrix.py", "example_apps", *FOLDERS]
    command += [] if "--freezer" in options else ["--freezer", "pyinstaller"]
    command += (
        [] if "--only" in options else [a for p in (*EXAMPLES, *programs) for a in ("--only", p)]
    )
    command += ["--cache", str(CACHE / f"tests-{version}")]
    return [*command, "-o", str(TABLE / f"{version}.jsonl"), *options]


def as_markdown() -> str:
    """What became of each program, without rustext and with it, with each Python."""
    rows = {
        (row["app"], row["freezer"], path.stem, row["rustext"]): row
        for path in TABLE.glob("*.jsonl")
        for row in map(json.loads, path.read_text().splitlines())
    }
    lines = [f"| program | freezer | {' | '.join(VERSIONS)} |", "|---" * (2 + len(VERSIONS)) + "|"]
    for app, freezer in sorted({key[:2] for key in rows}):
        cells = []
        for version in VERSIONS:
            found = [rows.get((app, freezer, version, rustext)) for rustext in (False, True)]
            cells.append(" → ".join(dict.fromkeys(map(result, found))))
        lines.append(f"| {app} | {freezer} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def result(row: dict | None) -> str:
    """The result of a row in a word; uv says where nothing can be installed."""
    if row is None:
        return "not run"
    return "no wheel" if "requirements are unsatisfiable" in row["detail"] else row["result"]


def run(version: str, arguments: list[str]) -> int:
    """Run a command of a version's Python in this checkout; its exit code."""
    print(f"== Python {version}", file=sys.stderr, flush=True)
    folder = CACHE / f"venv-{version}"
    root = CACHE / RELEASE if version in DEBIANS else None
    if root is not None:
        make_root(root)
    steps = [] if (folder / "complete").exists() else [
        f"{interpreter(version)} -m venv --clear {folder}",
        f"{folder}/bin/pip install -q -e {shlex.join(WANTED)}",
        f"touch {folder}/complete",
    ]  # fmt: skip
    steps.append(f"cd {CHECKOUT} && {folder}/bin/python {shlex.join(arguments)}")
    script = " && ".join(steps)
    path = f"{folder}/bin:{Path.home()}/.cargo/bin:/usr/bin:/bin:/usr/sbin"
    env = {**os.environ, "PATH": path if root else f"{folder}/bin:{os.environ['PATH']}"}
    if root is None:
        return subprocess.run(["sh", "-c", script], env=env, check=False).returncode
    mounts = [f"mount --bind {root} {root}"]
    mounts += [f"mount --rbind /{name} {root}/{name}" for name in ("dev", "proc", "sys")]
    for outer in filter(Path.is_dir, SHARED):
        inner = root / outer.relative_to("/")
        inner.mkdir(parents=True, exist_ok=True)
        mounts.append(f"mount --bind {outer} {inner}")
    # Not chroot(2), in which the kernel makes no user namespace: user_namespaces(7).
    mounts += [f"mkdir -p {root}/outer", f"cd {root}", "pivot_root . outer", "umount -l /outer"]
    inside = f"{' && '.join(mounts)} && exec sh -c {shlex.quote(script)}"
    command = ["unshare", "--mount", "sh", "-c", inside]  # what is mounted is gone with it
    return subprocess.run(command, env=env, check=False).returncode


def interpreter(version: str) -> str:
    """The command of a version: Debian's by its name, any other as pyenv or the path has it."""
    if version in DEBIANS:
        return f"python{version}"
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    command = str(found[-1]) if found else shutil.which(f"python{version}")
    if command is None:
        sys.exit(f"error: no Python {version} here\nhint: pyenv install {version}")
    return command


def make_root(root: Path) -> None:
    if (root / "complete").exists():
        return
    if os.geteuid() != 0:
        hint = "sudo ./test --pythons"
        sys.exit(f"error: only root can make a system for Debian's Pythons\nhint: {hint}")
    print(f"making a Debian {RELEASE} with Python {' and '.join(DEBIANS)}", file=sys.stderr)
    if shutil.which("debootstrap") is None:
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap"]
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(install, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    # An older debootstrap has no script of this release's name; all new ones are sid's.
    command = ["debootstrap", "--variant=minbase", "--merged-usr"]
    command += [f"--include={','.join(PACKAGES)}", RELEASE, str(root), mirror()]
    command += ["/usr/share/debootstrap/scripts/sid"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for name in FILES:
        if Path("/", name).is_file():
            shutil.copy(Path("/", name), root / name)
    (root / "complete").touch()


if __name__ == "__main__":
    sys.exit(main())
