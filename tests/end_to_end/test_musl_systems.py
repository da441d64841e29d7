"""Programs for musl, static and not: what is said of them, and what musl's own loader does.

The loader is Debian's package `musl`, alone in a system of its own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bundles import unpack_wheel
from debian import Debian
from packaging import _musllinux
from systems import run_inside
from verifying import Verify

pytestmark = pytest.mark.network

LOADER = "/lib/ld-musl-x86_64.so.1"
TAG = f"{sys.version_info[0]}{sys.version_info[1]}"
# Opens its arguments, as an interpreter opens extension modules.
OPENER = """
#include <dlfcn.h>
#include <stdio.h>
int main(int n, char **arguments) {
    for (int i = 1; i < n; i++)
        if (!dlopen(arguments[i], RTLD_NOW)) { puts(dlerror()); return 3; }
    return 0;
}
"""
PROGRAM = """
void _exit(int);
int own(void);
__attribute__((force_align_arg_pointer)) void _start(void) { _exit(own()); }
"""


@pytest.fixture(scope="module")
def system(debian: Debian) -> Path:
    """A system with musl and nothing else."""
    root = debian.unpack("musl")
    for folder in ("mnt", "proc", "dev"):
        (root / folder).mkdir(exist_ok=True)
    return root


@pytest.fixture
def module(cache: Path) -> Path:
    """An extension module for musl, from PyPI."""
    wheel = unpack_wheel(cache, "rpds-py==0.27.1", "musllinux_1_2_x86_64", TAG)
    return next((wheel / "rpds").glob("*.so"))


def test_a_static_program_cannot_open_modules(tmp_path: Path, module: Path, verify: Verify) -> None:
    source = tmp_path / "opener.c"
    source.write_text(OPENER)
    app = tmp_path / "app"
    (app / "rpds").mkdir(parents=True)
    target = ["-target", "x86_64-linux-musl", "-static", "-Os"]
    command = [sys.executable, "-m", "ziglang", "cc", *target, "-o", app / "app", source]
    subprocess.run(command, check=True, timeout=300)
    shutil.copy(module, app / "rpds")
    assert _musllinux._get_musl_version(str(app / "app")) is None  # so pip takes no wheel

    done = subprocess.run(
        [app / "app", app / "rpds" / module.name], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, "Dynamic loading not supported\n")
    report = verify(app)
    (finding,) = [f for f in report["findings"] if f["id"] == "static-interpreter"]
    assert (finding["severity"], finding["subject"]) == ("error", "app/app")
    assert "extension modules" in finding["message"]
    assert any("PT_INTERP" in line["text"] for line in finding["evidence"])


def test_a_dynamic_program_is_judged_as_musls_loader_does(
    tmp_path: Path, system: Path, verify: Verify
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    for name, text in (
        ("libc.c", "void _exit(int x) {}"), ("own.c", "int own(void) { return 0; }"),
        ("app.c", PROGRAM),
    ):  # fmt: skip
        (tmp_path / name).write_text(text)
    gcc = ["gcc", "-w", "-nostdlib", "-fPIC"]
    for command in (
        # What has musl's name is there to be linked against, and has nothing inside.
        [*gcc, "-shared", "-Wl,-soname,libc.so", "-o", "libc.so", "libc.c"],
        [*gcc, "-shared", "-Wl,-soname,libown.so", "-o", "app/libown.so", "own.c"],
        [*gcc, "-pie", "-Wl,-rpath,$ORIGIN", f"-Wl,--dynamic-linker={LOADER}",
         "-o", "app/app", "app.c", "app/libown.so", "./libc.so"],
    ):  # fmt: skip
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)

    assert run_inside(system, app, app / "app").returncode == 0
    report = verify(app)
    assert report["ok"]
    assert [floor["system"] for floor in report["floors"]] == ["musl"]
    assert verify.errors(app, "--target", "musllinux_1_1_x86_64") == []
    assert ("libc-mix", "app/app") in verify.errors(app, "--target", "manylinux_2_28_x86_64")

    (app / "libown.so").unlink()
    ended = run_inside(system, app, app / "app")
    assert "Error loading shared library libown.so" in ended.stderr
    assert verify.errors(app) == [("missing-library", "libown.so")]
