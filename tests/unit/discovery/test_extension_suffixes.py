"""Who looks for which suffix; the second source are interpreters and CPython's own triplets."""

from __future__ import annotations

import importlib.machinery
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from compiling import Compile

from rustext.discovery.extension_suffixes import (
    find_lookers,
    parse_suffix,
    split_suffix,
    triplets_of,
)
from rustext.discovery.module_names import name_file, working_name
from rustext.formats.binary import read_binary
from rustext.model.image import Format, Image, ImageKind, Needed
from rustext.model.verification import BundlePython
from rustext.verify.facts.python.python_suffixes import looked_for_by
from rustext.verify.target.requested_python import parse_python

ELF = Image(
    format=Format.ELF,
    architecture="x86_64",
    bits=64,
    byteorder="little",
    kind=ImageKind.SHARED,
    soname=None,
    needed=(Needed(name="libc.so.6"),),
    python_inits=("PyInit__rust",),
)
MUSL = replace(ELF, needed=(Needed(name="libc.musl-x86_64.so.1"),))
MACHO = replace(ELF, format=Format.MACHO, architecture="arm64", needed=())
PE = replace(ELF, format=Format.PE, needed=())


def elf(architecture: str, libc: str = "libc.so.6") -> Image:
    return replace(ELF, architecture=architecture, needed=(Needed(name=libc),))


def interpreters() -> list[Path]:
    """All interpreters at hand: the running one, and those that pyenv keeps."""
    folder = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    others = sorted(p for p in folder.glob("3.*/bin/python") if p.exists())
    return [Path(sys.executable), *others]


@pytest.fixture
def image(elf_module: Path) -> Image:
    """An image for this machine."""
    return read_binary(elf_module).image


@pytest.mark.parametrize("python", interpreters(), ids=str)
def test_an_interpreter_is_among_those_who_look_for_its_suffixes(
    python: Path, image: Image
) -> None:
    script = (
        "import importlib.machinery as m, json, sys;"
        "print(json.dumps([m.EXTENSION_SUFFIXES, sys.version_info[:2]]))"
    )
    done = subprocess.run(
        [python, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    suffixes, version = json.loads(done.stdout)
    assert suffixes
    for suffix in suffixes:
        assert split_suffix(f"_rust{suffix}") == ("_rust", suffix)
        (who,) = find_lookers(suffix, [image]).interpreters
        own = f"CPython {version[0]}.{version[1]} on Linux {image.architecture}"
        assert who == own or who.startswith(("CPython 3 on", "CPython 3.2 or", "CPython 3.15 or"))
    tagged = find_lookers(suffixes[0], [image]).interpreters
    assert tagged == (f"CPython {version[0]}.{version[1]} on Linux {image.architecture}",)


@pytest.mark.parametrize("python", interpreters(), ids=str)
def test_what_an_interpreter_looks_for_is_known_from_its_version(
    python: Path, image: Image
) -> None:
    script = (
        "import importlib.machinery as m, json, sys;"
        "print(json.dumps([m.EXTENSION_SUFFIXES, sys.version_info[:2], sys.abiflags]))"
    )
    said = subprocess.check_output([python, "-c", script], text=True, timeout=60)
    suffixes, version, flags = json.loads(said)
    if version < [3, 8]:  # with `m` for pymalloc
        return
    kind = BundlePython(
        implementation="cpython", version=tuple(version), flags=flags, source="--python"
    )
    looked_for = looked_for_by(kind, image)
    assert looked_for is not None
    # Debian's 3.14 has the triplet that came with 3.15; what a bundle's own file says comes first.
    own = [s for s in suffixes if version >= [3, 15] or not s.startswith(".abi3-")]
    assert list(looked_for.suffixes) == own


@pytest.mark.parametrize(
    ("name", "python", "working"),
    [
        ("_rust.abi3t.so", "315", "_rust.abi3t-x86_64-linux-gnu.so"),
        ("_rust.abi3t.so", "315t", "_rust.abi3t-x86_64-linux-gnu.so"),
        ("_rust.abi3.so", "315t", None),  # whose objects are laid out otherwise
        ("_rust.abi3.so", "315", "_rust.abi3-x86_64-linux-gnu.so"),
        ("_rust.abi3t.so", "314", None),  # for a newer Python, under any name
        ("_rust.abi3.so", "314", "_rust.abi3.so"),
    ],
)
def test_the_name_under_which_a_module_of_a_stable_abi_works(
    name: str, python: str, working: str | None
) -> None:
    kind = parse_python(f"{python[0]}.{python[1:]}")
    assert kind is not None
    looked_for = looked_for_by(kind, ELF)
    assert looked_for is not None
    assert working_name(name, [ELF], looked_for.suffixes) == working


def test_the_triplet_of_this_machine_is_the_one_that_python_was_built_for(image: Image) -> None:
    assert triplets_of([image])[0] == sysconfig.get_config_var("MULTIARCH")


@pytest.mark.parametrize(
    ("suffix", "image", "who"),
    [
        (".so", ELF, "CPython 3 on Linux x86_64"),
        (".so", MACHO, "CPython 3 on macOS arm64"),
        (".pyd", PE, "CPython 3 on Windows x86_64"),
        (".abi3.so", ELF, "CPython 3.2 or later, not free-threaded, on Linux x86_64"),
        (".abi3.so", MUSL, "CPython 3.2 or later, not free-threaded, on Linux x86_64 (musl)"),
        (
            ".abi3-x86_64-linux-gnu.so",
            ELF,
            "CPython 3.15 or later, not free-threaded, on Linux x86_64",
        ),
        (".abi3t.so", ELF, "CPython 3.15 or later on Linux x86_64"),
        (".abi3t-darwin.so", MACHO, "CPython 3.15 or later on macOS arm64"),
        (".cpython-38-x86_64-linux-gnu.so", ELF, "CPython 3.8 on Linux x86_64"),
        (".cpython-36m-x86_64-linux-gnu.so", ELF, "CPython 3.6 on Linux x86_64"),
        (".cpython-311d-x86_64-linux-gnu.so", ELF, "CPython 3.11 debug on Linux x86_64"),
        (".cpython-312.so", ELF, "CPython 3.12 on Linux x86_64"),
        (".cpython-311-darwin.so", MACHO, "CPython 3.11 on macOS arm64"),
        (
            ".cpython-313t-x86_64-linux-musl.so",
            MUSL,
            "CPython 3.13 free-threaded on Linux x86_64 (musl)",
        ),
        (".cpython-310-x86_64-linux-gnu.so", MUSL, "CPython 3.10 on Linux x86_64 (musl)"),
        (".cp311-win_amd64.pyd", PE, "CPython 3.11 on Windows x86_64"),
        (
            ".cp313t-win_arm64.pyd",
            replace(PE, architecture="arm64"),
            "CPython 3.13 free-threaded on Windows arm64",
        ),
        (".cp310-win32.pyd", replace(PE, architecture="i686"), "CPython 3.10 on Windows i686"),
        (".pypy39-pp73-x86_64-linux-gnu.so", ELF, "PyPy 3.9 on Linux x86_64"),
        (".pypy311-pp73-darwin.so", MACHO, "PyPy 3.11 on macOS arm64"),
        (".graalpy240-311-native-x86_64-linux.so", ELF, "GraalPy 3.11 on Linux x86_64"),
    ],
)
def test_a_suffix_tells_who_looks_for_it(suffix: str, image: Image, who: str) -> None:
    assert split_suffix(f"pkg{suffix}") == ("pkg", suffix)
    assert find_lookers(suffix, [image]).interpreters == (who,)


@pytest.mark.parametrize(
    ("triplet", "image"),
    [
        ("arm-linux-gnueabihf", elf("armv7l")),
        ("arm-linux-gnueabi", elf("armv5tel")),
        ("arm-linux-musleabihf", elf("armv7l", "libc.musl-armhf.so.1")),
        ("aarch64-linux-gnu", elf("aarch64")),
        ("aarch64-linux-musl", elf("aarch64", "libc.musl-aarch64.so.1")),
        ("aarch64-linux-musl", elf("aarch64", "libc.so")),
        ("aarch64-linux-android", elf("aarch64", "libc.so")),
        ("i386-linux-gnu", elf("i686")),
        ("mips-linux-gnu", elf("mips")),
        ("mipsel-linux-gnu", elf("mipsel")),
        ("mips64-linux-gnuabi64", elf("mips64")),
        ("mips64el-linux-gnuabi64", elf("mips64el")),
        ("mips64-linux-musl", elf("mips64", "libc.musl-mips64.so.1")),
        ("powerpc-linux-gnu", elf("ppc")),
        ("powerpc64-linux-gnu", elf("ppc64")),
        ("powerpc64le-linux-gnu", elf("ppc64le")),
        ("riscv64-linux-gnu", elf("riscv64")),
        ("riscv64-linux-musl", elf("riscv64", "libc.musl-riscv64.so.1")),
        ("loongarch64-linux-gnu", elf("loongarch64")),
        ("s390x-linux-gnu", elf("s390x")),
    ],
)
def test_each_platform_has_the_name_that_cpythons_build_gives_it(
    triplet: str, image: Image
) -> None:
    found = find_lookers(f".cpython-313-{triplet}.so", [image])
    assert len(found.interpreters) == 1, found.reason
    assert triplet in triplets_of([image])


@pytest.mark.parametrize(
    ("triplet", "image", "right"),
    [
        ("armv7l-linux-gnueabihf", elf("armv7l"), "arm-linux-gnueabihf"),
        ("armv7-linux-gnueabihf", elf("armv7l"), "arm-linux-gnueabihf"),
        ("i686-linux-gnu", elf("i686"), "i386-linux-gnu"),
        ("ppc64le-linux-gnu", elf("ppc64le"), "powerpc64le-linux-gnu"),
        ("mips64-linux-gnu", elf("mips64"), "mips64-linux-gnuabi64"),
        ("riscv64gc-linux-gnu", elf("riscv64"), "riscv64-linux-gnu"),
        ("x86_64-unknown-linux-gnu", ELF, "x86_64-linux-gnu"),
        ("arm64-darwin", MACHO, "darwin"),
    ],
)
def test_nobody_looks_for_another_name_of_the_platform(
    triplet: str, image: Image, right: str
) -> None:
    """The words of `uname -m` and of Rust's targets are not those of CPython's build."""
    found = find_lookers(f".cpython-311-{triplet}.so", [image])
    assert (found.interpreters, found.kind) == ((), "suffix-unknown")
    assert found.reason == (
        f"no Python is built for `{triplet}`: CPython's name for this platform is `{right}`"
    )


@pytest.mark.parametrize(
    ("suffix", "image", "kind", "reason"),
    [
        (".pyd", ELF, "suffix-other-platform", "on Linux Python looks for .so, not for .pyd"),
        (".so", PE, "suffix-other-platform", "on Windows Python looks for .pyd, not for .so"),
        (".abi3.pyd", PE, "suffix-unknown", "no Python looks for a module in `.abi3.pyd`"),
        (".cpython-311-darwin.so", ELF, "suffix-other-platform", "not the platform of this file"),
        (
            ".cpython-311-aarch64-linux-gnu.so",
            ELF,
            "suffix-other-platform",
            "not the platform of this file, Linux x86_64",
        ),
        (
            ".cpython-311-x86_64-linux-gnu.so",
            MUSL,
            "suffix-other-platform",
            "CPython's name for this platform is `x86_64-linux-musl`",
        ),
        (
            ".cpython-310-x86_64-linux-musl.so",
            MUSL,
            "suffix-unknown",
            "looked for since CPython 3.11, not by 3.10",
        ),
        (None, ELF, "suffix-unknown", "no interpreter looks for a module"),
    ],
)
def test_a_suffix_that_nobody_looks_for_is_explained(
    suffix: str | None, image: Image, kind: str, reason: str
) -> None:
    found = find_lookers(suffix, [image])
    assert (found.interpreters, found.kind) == ((), kind)
    assert reason in found.reason


def test_a_file_that_nobody_looks_for_is_no_module() -> None:
    path = PurePosixPath("pkg/_rust.cpython-311-armv7l-linux-gnueabihf.so")
    found = name_file(path, [elf("armv7l")])
    assert found.module is None
    assert found.kinds == ("suffix-unknown",)
    assert "`arm-linux-gnueabihf`" in found.explanation


def test_python_does_not_look_for_another_name_of_its_platform(
    tmp_path: Path, gcc: Compile
) -> None:
    """The interpreter is the second source: it finds the file by one name and not by the other."""
    triplet = sysconfig.get_config_var("MULTIARCH")
    version = f"{sys.version_info[0]}{sys.version_info[1]}"
    finder = importlib.machinery.FileFinder(
        str(tmp_path),
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
    )
    source = "int puts(const char *); int PyInit_m(void) { return puts(0); }"
    image = read_binary(gcc("m.so", source, "-shared", "-fPIC")).image
    for name in (triplet, f"unknown-{triplet}", "darwin", "x86_64-linux-musl"):
        file = tmp_path / f"m.cpython-{version}-{name}.so"
        file.touch()
        finder.invalidate_caches()
        looks = bool(find_lookers(file.name[1:], [image]).interpreters)
        assert (finder.find_spec("m") is not None) is looks
        file.unlink()


def test_every_slice_of_a_universal_file_is_named(
    zig: Callable[[str], Compile],
) -> None:
    images = [MACHO, replace(MACHO, architecture="x86_64")]
    found = find_lookers(".cpython-311-darwin.so", images)
    assert found.interpreters == ("CPython 3.11 on macOS arm64, x86_64",)


def test_what_is_no_suffix_cannot_be_taken_apart() -> None:
    assert parse_suffix(".dylib") is None
    assert split_suffix("libfoo.so.1") == ("libfoo.so.1", None)
    assert split_suffix("libfoo.dylib") == ("libfoo.dylib", None)
