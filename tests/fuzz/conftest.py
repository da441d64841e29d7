"""Small files of each format to damage, built as the unit tests build theirs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from compiling import MODULE, WINDOWS_MODULE, compiler

ZIG = [sys.executable, "-m", "ziglang", "cc", "-nostdlib", "-fno-sanitize=undefined", "-target"]

FILES = {
    "elf": (["gcc", "-fPIC"], MODULE, ("-lm", "-Wl,-rpath,/opt/lib,-soname,demo.so")),
    "elf-big-endian": ([*ZIG, "powerpc64-linux-musl"], MODULE, ()),
    "elf-32": ([*ZIG, "arm-linux-musleabihf"], MODULE, ()),
    "macho": ([*ZIG, "aarch64-macos"], MODULE, ("-Wl,-rpath,@loader_path",)),
    "pe": ([*ZIG, "x86_64-windows-gnu"], WINDOWS_MODULE, ("-lkernel32",)),
    "pe-32": ([*ZIG, "x86-windows-gnu"], WINDOWS_MODULE, ("-lkernel32",)),
}


@pytest.fixture(params=FILES)
def native_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    command, source, flags = FILES[request.param]
    return compiler(command, tmp_path)("demo.so", source, "-shared", *flags)
