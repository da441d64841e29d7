"""dyld's rules. macholib's `dyld_find` is the second source where it knows the rule."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest
from macholib.dyld import dyld_find

from rustext.formats.binary import read_binary
from rustext.loaders.resolver import resolve
from rustext.loaders.rules import Loader
from rustext.model.image import NeedKind
from rustext.model.libraries import FoundBy, Missing, Resolved

MAIN = "int main(void) { return 0; }\n"
LC_LOAD_DYLIB, LC_LOAD_WEAK_DYLIB, LC_REEXPORT_DYLIB = 0xC, 0x80000018, 0x8000001F


def dylib(lab, name, *needs, install=None, rpaths=(), target="aarch64-macos"):
    """Build a dylib; its install name is @rpath/NAME unless `install` says otherwise."""
    options = ["-install_name", install or f"@rpath/{Path(name).name}"]
    options += [f"-Wl,-rpath,{rpath}" for rpath in rpaths]
    return lab.zig(name, target, *options, *(str(lab.folder / need) for need in needs))


def program(lab, name, *needs, rpaths=()):
    options = [f"-Wl,-rpath,{rpath}" for rpath in rpaths]
    libraries = [str(lab.folder / need) for need in needs]
    return lab.zig(name, "aarch64-macos", *options, *libraries, source=MAIN)


def set_command(file, install_name, command):
    """Make the load command of a library another kind of load command."""
    data = bytearray(file.read_bytes())
    offset = data.index(install_name.encode() + b"\0") - 24
    assert struct.unpack_from("<I", data, offset) == (LC_LOAD_DYLIB,)
    struct.pack_into("<I", data, offset, command)
    file.write_bytes(data)


def rename(file, old, new):
    """Write another install name of the same length into a file."""
    assert len(old) == len(new)
    data = file.read_bytes()
    assert data.count(old.encode() + b"\0") == 1
    file.write_bytes(data.replace(old.encode() + b"\0", new.encode() + b"\0"))


def fat(output, *slices):
    """Put thin files into a fat one (mach-o/fat.h)."""
    machines = {"arm64": (0x100000C, 0), "x86_64": (0x1000007, 3)}
    header, body, offset = struct.pack(">II", 0xCAFEBABE, len(slices)), b"", 1 << 14
    for file in slices:
        data = file.read_bytes()
        cpu, sub = machines[read_binary(file).image.architecture]
        header += struct.pack(">IIIII", cpu, sub, offset + len(body), len(data), 14)
        body += data + bytes(-len(data) % (1 << 14))
    output.write_bytes(header.ljust(offset, b"\0") + body)
    return output


def only(lab, graph, name):
    found = lab.edge(graph, name)
    assert isinstance(found, Resolved), found
    return found


def test_loader_path_is_the_folder_of_the_image_that_loads(lab):
    dylib(lab, "a/deep/leaf.dylib", install="@loader_path/deep/leaf.dylib")
    dylib(lab, "a/mid.dylib", "a/deep/leaf.dylib", install="@loader_path/a/mid.dylib")
    extension = dylib(lab, "mod.so", "a/mid.dylib")
    graph = resolve(extension, loader=Loader())
    leaf = only(lab, graph, "@loader_path/deep/leaf.dylib")
    assert leaf.path == lab.folder / "a/deep/leaf.dylib"
    assert leaf.how is FoundBy.PATH
    assert leaf.needed_by == lab.folder / "a/mid.dylib"
    other = dyld_find(leaf.soname, env={}, loader_path=str(lab.folder / "a"))
    assert other == str(leaf.path)


def test_executable_path_is_the_folder_of_the_program(lab):
    dylib(lab, "app/libs/x.dylib", install="@executable_path/libs/x.dylib")
    extension = dylib(lab, "app/pkg/mod.so", "app/libs/x.dylib")
    main = program(lab, "app/main")
    graph = resolve(extension, loader=Loader(executable=main))
    found = only(lab, graph, "@executable_path/libs/x.dylib")
    other = dyld_find(found.soname, env={}, executable_path=str(lab.folder / "app"))
    assert str(found.path) == other == str(lab.folder / "app/libs/x.dylib")


def test_executable_path_of_a_linked_program_is_where_the_link_leads(lab):
    dylib(lab, "app/x.dylib", install="@executable_path/x.dylib")
    main = program(lab, "app/main", "app/x.dylib")
    lab.path("bin/main").symlink_to(main)
    graph = resolve(lab.folder / "bin/main", loader=Loader())
    assert only(lab, graph, "@executable_path/x.dylib").path == lab.folder / "app/x.dylib"


def test_loader_path_of_a_linked_library_is_where_the_link_leads(lab):
    """PyInstaller links the libraries of `pkg/.dylibs` from the top, with run paths for there."""
    dylib(lab, "app/pkg/leaf.dylib", install="@loader_path/leaf.dylib")
    dylib(lab, "app/pkg/mid.dylib", "app/pkg/leaf.dylib", install="@loader_path/mid.dylib")
    lab.path("app/mid.dylib").symlink_to("pkg/mid.dylib")
    extension = dylib(lab, "app/mod.so", "app/pkg/mid.dylib")
    for start in (extension, lab.folder / "app/mid.dylib"):
        edge = lab.edge(resolve(start, loader=Loader()), "@loader_path/leaf.dylib")
        assert isinstance(edge, Resolved), start
        assert edge.path == lab.folder / "app/pkg/leaf.dylib"


def test_without_a_program_executable_path_leads_nowhere(lab):
    dylib(lab, "x.dylib", install="@executable_path/x.dylib")
    missing = lab.edge(
        resolve(dylib(lab, "mod.so", "x.dylib"), loader=Loader()), "@executable_path/x.dylib"
    )
    assert isinstance(missing, Missing)
    assert [place.path for place in missing.searched] == ["@executable_path/x.dylib"]


def test_rpath_goes_through_the_run_paths_of_the_image_first_to_last(lab):
    for folder in ("b", "c"):
        dylib(lab, f"{folder}/x.dylib")
    extension = dylib(
        lab, "mod.so", "b/x.dylib", rpaths=("@loader_path/a", "@loader_path/b", "@loader_path/c")
    )
    graph = resolve(extension, loader=Loader())
    found = only(lab, graph, "@rpath/x.dylib")
    assert (found.path, found.how) == (lab.folder / "b/x.dylib", FoundBy.RPATH)
    for folder in ("b", "c"):
        (lab.folder / folder / "x.dylib").unlink()
    missing = lab.edge(resolve(extension, loader=Loader()), "@rpath/x.dylib")
    assert [place.path for place in missing.searched] == [
        f"{lab.folder}/{folder}/x.dylib" for folder in "abc"
    ]


def test_run_paths_of_all_loading_images_count(lab):
    dylib(lab, "libs/leaf.dylib")
    dylib(lab, "libs/mid.dylib", "libs/leaf.dylib")
    extension = dylib(lab, "mod.so", "libs/mid.dylib", rpaths=("@loader_path/libs",))
    found = only(lab, resolve(extension, loader=Loader()), "@rpath/leaf.dylib")
    assert found.needed_by.name == "mid.dylib"
    assert found.path == lab.folder / "libs/leaf.dylib"


def test_run_paths_of_siblings_do_not_count(lab):
    dylib(lab, "libs/leaf.dylib")
    dylib(lab, "one.dylib", install="@loader_path/one.dylib", rpaths=("@loader_path/libs",))
    dylib(lab, "two.dylib", "libs/leaf.dylib", install="@loader_path/two.dylib")
    graph = resolve(dylib(lab, "mod.so", "one.dylib", "two.dylib"), loader=Loader())
    assert isinstance(lab.edge(graph, "@rpath/leaf.dylib"), Missing)


def test_run_paths_of_the_program_count_for_what_it_opens(lab):
    dylib(lab, "app/libs/x.dylib")
    extension = dylib(lab, "app/pkg/mod.so", "app/libs/x.dylib")
    main = program(lab, "app/main", rpaths=("@executable_path/libs",))
    assert only(lab, resolve(extension, loader=Loader(executable=main)), "@rpath/x.dylib").path
    assert isinstance(lab.edge(resolve(extension, loader=Loader()), "@rpath/x.dylib"), Missing)


def test_the_image_that_loads_comes_before_those_that_loaded_it(lab):
    for folder in ("near", "far"):
        dylib(lab, f"{folder}/x.dylib")
    extension = dylib(lab, "mod.so", "near/x.dylib", rpaths=("@loader_path/near",))
    main = program(lab, "main", rpaths=("@loader_path/far",))
    found = only(lab, resolve(extension, loader=Loader(executable=main)), "@rpath/x.dylib")
    assert found.path == lab.folder / "near/x.dylib"


def test_loader_path_in_a_run_path_is_the_folder_of_the_image_that_has_it(lab):
    dylib(lab, "libs/leaf.dylib")
    dylib(lab, "sub/mid.dylib", "libs/leaf.dylib", install="@loader_path/sub/mid.dylib")
    extension = dylib(lab, "mod.so", "sub/mid.dylib", rpaths=("@loader_path/libs",))
    found = only(lab, resolve(extension, loader=Loader()), "@rpath/leaf.dylib")
    assert found.path == lab.folder / "libs/leaf.dylib"


@pytest.mark.parametrize(
    "own",
    [
        "@rpath/pkg._rust._mod.cpython-311-darwin.so",  # package-qualified, as maturin links
        "@rpath/_mod.cpython-310-darwin.so",  # another Python version
        "/Users/runner/work/pkg/target/release/deps/lib_mod.dylib",  # a build machine's path
        "lib_mod.dylib",  # relative
    ],
)
def test_an_image_that_names_itself_finds_itself_under_any_install_name(lab, own):
    """The name that an image was linked with is enough: dyld compares it before any path."""
    other = "@loader_path/" + "x" * (len(own) - 13) if len(own) > 13 else "x" * len(own)
    dylib(lab, "other.dylib", install=other)
    extension = dylib(lab, "_mod.abi3.so", "other.dylib", install=own)
    data = extension.read_bytes().replace(other.encode() + b"\0", own.encode() + b"\0")
    extension.write_bytes(data)
    found = only(lab, resolve(extension, loader=Loader()), own)
    assert (found.how, found.path) == (FoundBy.SELF, extension)


def test_an_image_that_is_found_at_its_own_path_is_itself(lab):
    dylib(lab, "other.dylib", install="@rpath/mod.so")
    extension = dylib(lab, "mod.so", "other.dylib", install="none", rpaths=("@loader_path",))
    assert only(lab, resolve(extension, loader=Loader()), "@rpath/mod.so").how is FoundBy.SELF


def test_the_install_name_alone_is_no_dependency(lab):
    extension = dylib(lab, "mod.so", install="@rpath/pkg.mod.cpython-310-darwin.so")
    assert {edge.how for edge in resolve(extension, loader=Loader()).edges} == {FoundBy.SYSTEM}


def test_a_loaded_image_answers_to_its_install_name(lab):
    dylib(lab, "libs/x.dylib", install="/opt/build/x.dylib")
    shutil.copy(lab.folder / "libs/x.dylib", lab.folder / "libs/seen.dylib")
    dylib(lab, "tmp/y.dylib", install="@loader_path/libs/seen.dylib")
    dylib(lab, "mid.dylib", "libs/x.dylib", install="@loader_path/mid.dylib")
    extension = dylib(lab, "mod.so", "tmp/y.dylib", "mid.dylib")
    graph = resolve(extension, loader=Loader())
    assert only(lab, graph, "/opt/build/x.dylib").how is FoundBy.LOADED


def test_homebrew_paths_are_missing_elsewhere(lab):
    name = "/opt/homebrew/opt/openssl@3/lib/libcrypto.3.dylib"
    dylib(lab, "libcrypto.3.dylib", install=name)
    graph = resolve(
        dylib(lab, "mod.so", "libcrypto.3.dylib"), loader=Loader(root=lab.folder / "empty")
    )
    (missing,) = graph.missing
    assert [place.path for place in missing.searched] == [name]


def test_libraries_of_the_shared_cache_are_the_systems(lab):
    dylib(lab, "x.dylib", install="/usr/lib/swift/libswiftCore.dylib")
    dylib(lab, "y.dylib", install="@rpath/libswiftMetal.dylib")
    extension = dylib(lab, "mod.so", "x.dylib", "y.dylib", rpaths=("/usr/lib/swift",))
    graph = resolve(extension, loader=Loader())
    assert {edge.how for edge in graph.edges} == {FoundBy.SYSTEM}
    assert {edge.path for edge in graph.edges} == {None}


def test_a_run_path_into_the_system_does_not_make_any_name_the_systems(lab):
    dylib(lab, "x.dylib")
    extension = dylib(lab, "mod.so", "x.dylib", rpaths=("/usr/lib/swift",))
    missing = lab.edge(resolve(extension, loader=Loader()), "@rpath/x.dylib")
    assert [place.path for place in missing.searched] == ["/usr/lib/swift/x.dylib"]


def test_weak_libraries_may_be_absent(lab):
    dylib(lab, "x.dylib", install="@loader_path/gone.dylib")
    extension = dylib(lab, "mod.so", "x.dylib")
    set_command(extension, "@loader_path/gone.dylib", LC_LOAD_WEAK_DYLIB)
    graph = resolve(extension, loader=Loader())
    assert lab.edge(graph, "@loader_path/gone.dylib").kind is NeedKind.WEAK
    assert graph.missing == ()


def test_re_exported_libraries_are_followed(lab):
    dylib(lab, "leaf.dylib", install="@loader_path/leaf.dylib")
    dylib(lab, "mid.dylib", "leaf.dylib", install="@loader_path/mid.dylib")
    extension = dylib(lab, "mod.so", "mid.dylib")
    set_command(extension, "@loader_path/mid.dylib", LC_REEXPORT_DYLIB)
    graph = resolve(extension, loader=Loader())
    assert lab.edge(graph, "@loader_path/mid.dylib").kind is NeedKind.REEXPORT
    assert only(lab, graph, "@loader_path/leaf.dylib").path == lab.folder / "leaf.dylib"


def test_fat_files_are_judged_slice_by_slice(lab):
    """Only the arm64 slice's library exists for its architecture."""
    for target in ("aarch64-macos", "x86_64-macos"):
        dylib(lab, f"{target}/x.dylib", install="@loader_path/x.dylib", target=target)
        dylib(lab, f"{target}/mod.so", f"{target}/x.dylib", target=target)
    targets = ("aarch64-macos", "x86_64-macos")
    extension = fat(lab.path("mod.so"), *(lab.folder / t / "mod.so" for t in targets))
    shutil.copy(lab.folder / "aarch64-macos/x.dylib", lab.folder / "x.dylib")
    graph = resolve(extension, loader=Loader())
    (missing,) = graph.missing
    assert missing.searched[0].rejected == "wrong architecture: arm64, not x86_64"
    assert only(lab, graph, "@loader_path/x.dylib").path == lab.folder / "x.dylib"
    fat(lab.folder / "x.dylib", *(lab.folder / t / "x.dylib" for t in targets))
    graph = resolve(extension, loader=Loader())
    assert [e.soname for e in graph.edges].count("@loader_path/x.dylib") == 1
    assert graph.missing == ()


def test_a_bundle_cannot_be_linked_to(lab):
    dylib(lab, "x.dylib", install="@loader_path/x.dylib")
    extension = dylib(lab, "mod.so", "x.dylib")
    data = bytearray((lab.folder / "x.dylib").read_bytes())
    struct.pack_into("<I", data, 12, 8)  # MH_BUNDLE
    (lab.folder / "x.dylib").write_bytes(data)
    missing = lab.edge(resolve(extension, loader=Loader()), "@loader_path/x.dylib")
    assert missing.searched[0].rejected == "not a dylib: bundle"


def test_dyld_tries_on_after_a_file_that_is_no_library(lab):
    dylib(lab, "b/x.dylib")
    lab.path("a/x.dylib").write_bytes(b"nothing that dyld could load" * 9)
    extension = dylib(lab, "mod.so", "b/x.dylib", rpaths=("@loader_path/a", "@loader_path/b"))
    assert only(lab, resolve(extension, loader=Loader()), "@rpath/x.dylib").path.parent.name == "b"


def test_environment_variables_are_ignored(lab):
    dylib(lab, "env/x.dylib")
    loader = Loader().with_environ({"DYLD_LIBRARY_PATH": str(lab.folder / "env")})
    extension = dylib(lab, "mod.so", "env/x.dylib")
    assert isinstance(lab.edge(resolve(extension, loader=loader), "@rpath/x.dylib"), Missing)


def test_the_libraries_of_an_image_are_loaded_before_what_they_need(lab):
    """Level by level below each image, and one subtree after the other."""
    here = "@loader_path/"
    dylib(lab, "e.dylib", install=f"{here}e.dylib")
    dylib(lab, "d.dylib", "e.dylib", install=f"{here}d.dylib")
    dylib(lab, "c.dylib", "e.dylib", install=f"{here}c.dylib")
    dylib(lab, "b.dylib", "d.dylib", install=f"{here}b.dylib")
    graph = resolve(dylib(lab, "mod.so", "b.dylib", "c.dylib"), loader=Loader())
    order = [(e.needed_by.name, Path(e.soname).name) for e in graph.edges if e.path]
    assert order == [
        ("mod.so", "b.dylib"),
        ("mod.so", "c.dylib"),
        ("b.dylib", "d.dylib"),
        ("d.dylib", "e.dylib"),
        ("c.dylib", "e.dylib"),
    ]
