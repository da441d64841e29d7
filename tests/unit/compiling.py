"""C compilers for this machine and for foreign ones, and what the tests compile with them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

Compile = Callable[..., Path]

MODULE = """
int PyInit_demo(void) { return 1; }
int PyInitU_dmo_1ya(void) { return 2; }
__attribute__((visibility("hidden"))) int PyInit_hidden(void) { return 3; }
"""

# What the C library would bring is written out, so that nothing but the linker runs.
WINDOWS_MODULE = """
__declspec(dllexport) int PyInit_demo(void) { return 1; }
__declspec(dllexport) int PyInitU_dmo_1ya(void) { return 2; }
__declspec(dllexport) int Alpha(void) { return 3; }
__declspec(dllexport) int PyInitialise(void) { return 4; }
__declspec(dllexport) int zulu(void) { return 5; }
__declspec(dllimport) unsigned long __stdcall GetTickCount(void);
volatile char spare[256] = "spare room";
int __stdcall DllMainCRTStartup(void *a, unsigned long b, void *c) {
    return GetTickCount() + spare[0] != 0;
}
"""


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"


def compiler(prefix: list[str], folder: Path) -> Compile:
    """`compile_c(name, source, *flags)`, which makes each file once."""
    built: dict[tuple[str, ...], Path] = {}

    def compile_c(name: str, source: str, *flags: str) -> Path:
        key = (name, source, *flags)
        if key not in built:
            room = folder / str(len(built))
            room.mkdir(exist_ok=True)
            (room / "source.c").write_text(source)
            output = room / name
            _run([*prefix, "-o", os.fspath(output), os.fspath(room / "source.c"), *flags])
            built[key] = output
        return built[key]

    return compile_c
