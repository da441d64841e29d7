"""The Windows loader's rules, on DLLs built with Zig; pefile is the second source for imports."""

from __future__ import annotations

from pathlib import Path

import pefile
import pytest

from rustext.loaders.resolver import resolve
from rustext.loaders.rules import Loader
from rustext.model.libraries import FoundBy, Missing, Resolved

TARGET = "x86_64-windows-gnu"


def dll(lab, name, *needs, target=TARGET):
    """Build a DLL that calls a function of each DLL that it needs."""
    calls = "".join(f"int in_{Path(need).stem}(void);\n" for need in needs)
    used = " + ".join(f"in_{Path(need).stem}()" for need in needs) or "0"
    source = f"{calls}__declspec(dllexport) int in_{Path(name).stem}(void) {{ return {used}; }}\n"
    libraries = [str((lab.folder / need).with_suffix(".lib")) for need in needs]
    lab.path(name)
    implib = f"-Wl,--out-implib={(lab.folder / name).with_suffix('.lib')}"
    file = lab.zig(name, target, "-shared", implib, *libraries, source=source)
    imports = [entry.dll.decode() for entry in pefile.PE(str(file)).DIRECTORY_ENTRY_IMPORT]
    assert {Path(need).name for need in needs} <= set(imports)
    return file


def found(lab, graph, name):
    edge = lab.edge(graph, name)
    assert isinstance(edge, Resolved), edge
    return edge


def test_the_folder_of_the_opened_dll_comes_first(lab):
    for folder in ("pkg", "app"):
        dll(lab, f"{folder}/x.dll")
    extension = dll(lab, "pkg/mod.pyd", "pkg/x.dll")
    main = lab.zig("app/main.exe", TARGET, source="int main(void) { return 0; }\n")
    graph = resolve(extension, loader=Loader(executable=main))
    edge = found(lab, graph, "x.dll")
    assert (edge.path, edge.how) == (lab.folder / "pkg/x.dll", FoundBy.BESIDE)
    (lab.folder / "pkg/x.dll").unlink()
    graph = resolve(extension, loader=Loader(executable=main))
    assert found(lab, graph, "x.dll").path == lab.folder / "app/x.dll"


def test_the_folder_of_the_opened_dll_serves_what_its_libraries_need(lab):
    dll(lab, "pkg/leaf.dll")
    dll(lab, "pkg.libs/mid.dll", "pkg/leaf.dll")
    extension = dll(lab, "pkg/mod.pyd", "pkg.libs/mid.dll")
    graph = resolve(extension, loader=Loader(dll_directories=(lab.folder / "pkg.libs",)))
    assert found(lab, graph, "mid.dll").path == lab.folder / "pkg.libs/mid.dll"
    assert found(lab, graph, "leaf.dll").path == lab.folder / "pkg/leaf.dll"


def test_added_dll_directories_are_searched_in_order(lab):
    dll(lab, "b.libs/x.dll")
    extension = dll(lab, "pkg/mod.pyd", "b.libs/x.dll")
    missing = lab.edge(resolve(extension, loader=Loader()), "x.dll")
    assert isinstance(missing, Missing)
    folders = (lab.folder / "a.libs", lab.folder / "b.libs")
    graph = resolve(extension, loader=Loader(dll_directories=folders))
    assert found(lab, graph, "x.dll").path == lab.folder / "b.libs/x.dll"
    (lab.folder / "b.libs/x.dll").unlink()
    missing = lab.edge(resolve(extension, loader=Loader(dll_directories=folders)), "x.dll")
    assert [place.path for place in missing.searched] == [
        f"{lab.folder}/{folder}/x.dll" for folder in ("pkg", "a.libs", "b.libs")
    ]


def test_names_are_compared_without_regard_to_case(lab):
    dll(lab, "pkg/x.dll")
    extension = dll(lab, "pkg/mod.pyd", "pkg/x.dll")
    (lab.folder / "pkg/x.dll").rename(lab.folder / "pkg/X.DLL")
    assert found(lab, resolve(extension, loader=Loader()), "x.dll").path.name == "X.DLL"


@pytest.mark.parametrize("name", ["KERNEL32.dll", "api-ms-win-crt-runtime-l1-1-0.dll"])
def test_known_dlls_and_api_sets_are_the_systems_even_beside_the_program(lab, name):
    extension = dll(lab, "pkg/mod.pyd")
    imports = {entry.dll.decode() for entry in pefile.PE(str(extension)).DIRECTORY_ENTRY_IMPORT}
    assert name in imports, imports
    lab.path(f"pkg/{name}").write_bytes(b"not looked at")
    assert found(lab, resolve(extension, loader=Loader()), name).how is FoundBy.SYSTEM


def test_a_dll_beside_the_program_hides_one_of_system32(lab):
    dll(lab, "gen/version.dll")
    extension = dll(lab, "pkg/mod.pyd", "gen/version.dll")
    assert found(lab, resolve(extension, loader=Loader()), "version.dll").how is FoundBy.SYSTEM
    (lab.folder / "gen/version.dll").rename(lab.folder / "pkg/version.dll")
    assert found(lab, resolve(extension, loader=Loader()), "version.dll").how is FoundBy.BESIDE


def test_a_dll_for_another_machine_ends_the_search(lab):
    dll(lab, "pkg/x.dll")
    extension = dll(lab, "pkg/mod.pyd", "pkg/x.dll")
    (lab.folder / "pkg/x.dll").unlink()
    dll(lab, "pkg/x.dll", target="aarch64-windows-gnu")
    missing = lab.edge(resolve(extension, loader=Loader()), "x.dll")
    assert missing.searched[0].rejected == "wrong architecture: arm64, not x86_64"
