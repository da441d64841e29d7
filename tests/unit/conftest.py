"""Real small binaries for the tests of the binary stage, built when they are asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import MODULE, WINDOWS_MODULE, Compile, compiler


@pytest.fixture(scope="session")
def gcc(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """`gcc(name, source, *flags)`: the file that the system's C compiler makes of it."""
    return compiler(["gcc"], tmp_path_factory.mktemp("gcc"))


@pytest.fixture(scope="session")
def zig(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Compile]:
    """`zig(target)(name, source, *flags)`: the same for a foreign target, without a C library."""
    folder = tmp_path_factory.mktemp("zig")
    compilers: dict[str, Compile] = {}

    def for_target(target: str) -> Compile:
        if target not in compilers:
            command = [sys.executable, "-m", "ziglang", "cc", "-target", target]
            command += ["-nostdlib", "-fno-sanitize=undefined"]
            room = folder / target
            room.mkdir()
            compilers[target] = compiler(command, room)
        return compilers[target]

    return for_target


@pytest.fixture(scope="session")
def elf_module(gcc: Compile) -> Path:
    """An extension module for this machine."""
    return gcc("demo.so", MODULE, "-shared", "-fPIC", "-Wl,-soname,demo.so.1")


@pytest.fixture(scope="session")
def macho_module(zig: Callable[[str], Compile]) -> Path:
    """An extension module for macOS on arm64."""
    flags = ("-shared", "-Wl,-install_name,@rpath/pkg.demo.so", "-Wl,-rpath,@loader_path/../lib")
    return zig("aarch64-macos")("demo.so", MODULE, *flags)


@pytest.fixture(scope="session")
def pe_module(zig: Callable[[str], Compile]) -> Path:
    """An extension module for Windows on x86-64."""
    return zig("x86_64-windows-gnu")("demo.pyd", WINDOWS_MODULE, "-shared", "-lkernel32")
