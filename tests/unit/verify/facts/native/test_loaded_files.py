"""Which files a program does not start without, given what its start imports."""

from __future__ import annotations

import importlib.machinery
import shutil
from pathlib import Path

from compiling import Compile

from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.facts.native.libraries import resolve_bundle
from rustext.verify.facts.native.loaded_files import LoadedFiles
from rustext.verify.facts.python.program_starts import Start

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]


def test_what_the_start_imports_and_needs_is_required(tmp_path: Path, gcc: Compile) -> None:
    shutil.copy(gcc("app", "int main(void) { return 0; }"), tmp_path)
    own = gcc(
        "libown.so", "int own(void) { return 0; }", "-shared", "-fPIC", "-Wl,-soname,libown.so"
    )
    shutil.copy(own, tmp_path)
    for name, flags in (("early", (str(own), "-Wl,-rpath,$ORIGIN")), ("late", ())):
        source = f"int own(void); void PyInit_{name}(void) {{ {'own();' if flags else ''} }}"
        shutil.copy(gcc(f"{name}{SUFFIX}", source, "-shared", "-fPIC", *flags), tmp_path)
    (tmp_path / f"cut{SUFFIX}").write_bytes(own.read_bytes()[:200])
    (tmp_path / "loop.so").symlink_to("loop.so")
    bundle = read_bundle(tmp_path)
    (program,) = bundle.programs
    reached = dict.fromkeys(("early", "cut"))
    start = Start(program=program, reached=reached, followed=True)
    loaded = LoadedFiles(bundle, resolve_bundle(bundle, lambda *_: None), (start,))
    required = {p.name for p in tmp_path.iterdir() if loaded.is_required(p)}
    assert required == {"app", "libown.so", f"early{SUFFIX}", f"cut{SUFFIX}"}
    start.followed = False
    unknown = LoadedFiles(bundle, resolve_bundle(bundle, lambda *_: None), (start,))
    assert all(unknown.is_required(p) for p in tmp_path.iterdir())
