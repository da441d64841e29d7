"""Real small binaries for the tests of the binary stage, built when they are asked for."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from compiling import MODULE, WINDOWS_MODULE, Compile, compiler


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache folder for the tests alone; zig keeps its own, which is slow to fill."""
    with pytest.MonkeyPatch.context() as patch:
        zig = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        if "ZIG_GLOBAL_CACHE_DIR" not in os.environ:
            patch.setenv("ZIG_GLOBAL_CACHE_DIR", os.fspath(Path(zig, "zig")))
        patch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def lean_path(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sys.path` without the test environment, but with what rustext needs.

    To read which of that environment's many files is whose takes longer than most tests.
    """
    needs = tmp_path_factory.mktemp("needs")
    for name in ("elftools", "macholib", "packaging", "platformdirs", "tomli"):
        found = importlib.util.find_spec(name)
        if found is not None and found.origin is not None:
            (needs / name).symlink_to(Path(found.origin).parent)
    others = [path for path in sys.path if not path.endswith("site-packages")]
    monkeypatch.syspath_prepend(str(needs))  # which notes the list that the test's end restores
    sys.path[:] = [*others, str(needs)]


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
