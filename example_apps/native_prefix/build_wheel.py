"""Build the wheel of the crate for the interpreter that runs this, and print its path.

Usage: build_wheel.py [NAMING]

NAMING is how the compiled modules are named in the wheel: `plain` (the default), `abi3`,
`lib-prefix` (as cargo names them) or `wrong-suffix` (another Python's). Needs cargo with rustc 1.85
or later and a C compiler; maturin comes from PyPI, the crates from crates.io. All is kept below
`.cache`, and a wheel whose sources have not changed is not built again.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".cache" / "native_prefix"
TOOLS = ("maturin==1.16.0", "wheel==0.45.1")
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
RUST = (1, 85)

# How a file of a module is called in the wheel.
NAMINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda module: f"{module}{SUFFIX}",
    "abi3": lambda module: f"{module}.abi3.so",
    "lib-prefix": lambda module: f"lib{module}.so",
    "wrong-suffix": lambda module: f"{module}.cpython-39-x86_64-linux-gnu.so",
}


def main() -> int:
    naming = sys.argv[1] if len(sys.argv) > 1 else "plain"
    if naming not in NAMINGS:
        print(f"error: no naming `{naming}`\nhint: known are {', '.join(NAMINGS)}", file=sys.stderr)
        return 2
    print(build_wheel(naming))
    return 0


def build_wheel(naming: str) -> Path:
    """The wheel with this naming, from the cache or built now."""
    check_rust()
    kind = "abi3" if naming == "abi3" else "plain"
    key = fingerprint()
    made, out = CACHE / f"made-{key}-{kind}", CACHE / f"wheel-{key}-{naming}"
    if not out.is_dir():
        tools = install_tools()
        if not made.is_dir():
            compile_crates(tools, ["--features", "abi3"] if kind == "abi3" else [], made)
        assemble(made, naming, tools, out)
    return next(out.glob("*.whl"))


def check_rust() -> None:
    """End with a message where rustc is older than PyO3 takes (`rust-version` in Cargo.toml)."""
    said = run("rustc", "--version")
    version = tuple(int(part) for part in re.findall(r"\d+", said)[:2])
    if version < RUST:
        hint = "on Debian 12 apt install cargo-web rustc-web, elsewhere see https://rustup.rs"
        sys.exit(f"error: {said.strip()} is too old: PyO3 needs 1.85\nhint: {hint}")


def fingerprint() -> str:
    """Changes when a source, the interpreter or the compiler does."""
    digest = hashlib.sha256(f"{sys.version} {SUFFIX}".encode())
    digest.update(run("cargo", "--version", "--verbose").encode())
    for file in [Path(__file__), *sorted((HERE / "crate").rglob("*"))]:
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(str(file.relative_to(HERE)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def install_tools() -> Path:
    """The folder with maturin and wheel, in an environment of their own."""
    folder = CACHE / f"tools-{sys.version_info[0]}.{sys.version_info[1]}"
    if not (folder / "bin" / "wheel").exists():
        run(sys.executable, "-m", "venv", "--clear", str(folder))
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "-q"]
        run(*pip, "install", *TOOLS)
    return folder / "bin"


def compile_crates(tools: Path, features: list[str], out: Path) -> None:
    """Compile all into the folder `out`: a wheel by maturin, and what it does not know of."""
    stage, made = CACHE / "stage", CACHE / "making"  # always the same, so that cargo knows them
    for folder in (stage, made):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(HERE / "crate", stage)
    made.mkdir()
    library = made / "libnative_prefix_si.so.1"
    compiler = os.environ.get("CC", "cc").split()
    run(*compiler, "-shared", "-fPIC", "-O1", f"-Wl,-soname,{library.name}", "-o", str(library),
        str(stage / "c" / "si.c"))  # fmt: skip
    (made / "libnative_prefix_si.so").symlink_to(library.name)
    env = {
        **os.environ,
        "CARGO_TARGET_DIR": str(CACHE / "target"),
        "NATIVE_PREFIX_SI": str(made),
        "PYO3_BUILD_EXTENSION_MODULE": "1",
        "PYO3_PYTHON": sys.executable,
    }
    release = ["--release", "--locked", *features]
    run(str(tools / "maturin"), "build", *release, "--interpreter", sys.executable,
        "--out", str(made), cwd=stage, env=env)  # fmt: skip
    run("cargo", "build", *release, "--package", "native_prefix_codec", cwd=stage, env=env)
    run("cargo", "build", *release, "--bin", "si-table", cwd=stage, env=env)
    for name in ("lib_native_prefix_codec.so", "si-table"):
        shutil.copy(CACHE / "target" / "release" / name, made)
    made.rename(out)


def assemble(made: Path, naming: str, tools: Path, out: Path) -> None:
    """Put into maturin's wheel what it does not know of, and give the modules their names."""
    room = CACHE / "assembling"
    shutil.rmtree(room, ignore_errors=True)
    run(str(tools / "wheel"), "unpack", "--dest", str(room), str(next(made.glob("*.whl"))))
    top = room / "native_prefix-1.0.0"
    package = top / "native_prefix"
    (package / "lib").mkdir()
    (package / "bin").mkdir()
    shutil.copy(made / "libnative_prefix_si.so.1", package / "lib")
    shutil.copy(made / "si-table", package / "bin")
    built = next((package / "_rust").glob("_native_prefix_rs.*.so"))
    name = NAMINGS[naming]
    built.rename(built.with_name(name("_native_prefix_rs")))
    shutil.copy(made / "lib_native_prefix_codec.so", built.with_name(name("_native_prefix_codec")))
    packed = room / "packed"
    packed.mkdir()
    run(str(tools / "wheel"), "pack", "--dest-dir", str(packed), str(top))
    packed.rename(out)


def run(*command: str, **options: object) -> str:
    """What a command prints; if it fails, its last lines end this program."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            timeout=900, **options,
        )  # fmt: skip
    except FileNotFoundError:
        hint = "apt install cargo-web rustc-web gcc, or see https://rustup.rs"
        sys.exit(f"error: no {command[0]} here, which the crate is built with\nhint: {hint}")
    if done.returncode != 0:
        tail = "\n".join(f"{done.stdout}\n{done.stderr}".strip().splitlines()[-30:])
        sys.exit(f"{tail}\nerror: {' '.join(command)} ended with {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
