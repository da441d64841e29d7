"""The module index against the import system, and requirements against `packaging`."""

from __future__ import annotations

import ensurepip
import importlib.machinery
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from compiling import Compile
from environments import environment, install, write_files
from packaging.markers import Marker

from rustext.environment.distributions import iter_distributions
from rustext.environment.environment import (
    Environment,
    Owner,
    read_environment,
    read_interpreter,
    stdlib_environment,
    this_environment,
    this_interpreter,
)
from rustext.errors import InvalidEnvironment
from rustext.model.faults import Fault

# Asks the import system itself, in a process of its own: the parents of a dotted name have to be
# imported for that.
FIND_SPEC = """
import importlib.util, json, sys
sys.path[:] = json.loads(sys.argv[2])
sys.meta_path[:] = [f for f in sys.meta_path if f.__module__.startswith("_frozen_importlib")]
found = {}
for name in json.loads(sys.argv[1]):
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    origin = spec and (spec.origin if spec.has_location else spec.origin or "namespace")
    found[name] = origin
print(json.dumps(found))
"""


def find_specs(names: list[str], folders: list[Path]) -> dict[str, str | None]:
    """Where the import system would find each name: a file, a word for it, or nothing."""
    path = [*map(str, folders), *(p for p in sys.path if p)]
    command = [sys.executable, "-c", FIND_SPEC, json.dumps(names), json.dumps(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found: dict[str, str | None] = json.loads(done.stdout)
    return found


def top_level_names(folder: Path) -> list[str]:
    names = {p.name.partition(".")[0] for p in folder.iterdir() if p.name != "__pycache__"}
    return sorted(n for n in names if n.isidentifier())


def test_every_top_level_module_is_found_where_the_import_system_finds_it() -> None:
    env = this_environment()
    names = sorted(
        {*sys.stdlib_module_names, *(n for site in env.sites for n in top_level_names(site))}
    )
    expected = find_specs(names, [])
    assert len(names) > 200
    for name in names:
        module = env.find_module(name)
        origin = expected[name]
        if origin is None:
            assert module is None, name
        elif origin == "namespace":
            if module is None:  # an empty folder: nothing to import
                assert not any(any((site / name).glob("*")) for site in env.sites), name
            else:
                assert module.path is None, name
        elif origin in {"built-in", "frozen"}:
            assert module is not None or name.startswith("_frozen"), name
        else:
            assert module is not None, name
            assert module.path == Path(origin), name


def test_submodules_are_found_where_the_import_system_finds_them() -> None:
    env = this_environment()
    names = ["collections.abc", "concurrent.futures.thread", "importlib.metadata", "json.decoder",
             "xml.etree.ElementTree", "email.mime.text", "asyncio.events", "zoneinfo._common",
             "os.nothing", "json.nothing", "nothing", "packaging.markers", "rich.console",
             "packaging.nothing", "sys.nothing", "unittest.mock", "wsgiref.util"]  # fmt: skip
    for name, origin in find_specs(names, []).items():
        module = env.find_module(name)
        # `collections` itself puts its submodule in place since 3.14, without a file.
        wanted = None if origin == "frozen" else origin
        assert (module and str(module.path)) == wanted, name


def test_a_namespace_package_is_found_over_all_folders(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_files(first, {"ns/one.py": "", "ns/deep/a.py": ""})
    write_files(second, {"ns/two.py": "", "ns/deep/b.py": ""})
    env = environment(first, second)
    names = ["ns", "ns.one", "ns.two", "ns.deep.a", "ns.deep.b", "ns.three"]
    for name, origin in find_specs(names, [first, second]).items():
        module = env.find_module(name)
        if origin == "namespace":
            assert module is not None
            assert module.path is None
        else:
            assert (module and str(module.path)) == origin, name


def test_a_regular_package_wins_over_a_namespace_portion_before_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_files(first, {"pkg/only_here.py": ""})
    write_files(second, {"pkg/__init__.py": "", "pkg/inner.py": ""})
    env = environment(first, second)
    names = ["pkg", "pkg.inner", "pkg.only_here"]
    for name, origin in find_specs(names, [first, second]).items():
        module = env.find_module(name)
        assert (module and str(module.path)) == origin, name


def test_a_module_hides_a_folder_of_its_name_behind_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_files(first, {"thing.py": ""})
    write_files(second, {"thing/inner.py": ""})
    env = environment(first, second)
    for name, origin in find_specs(["thing", "thing.inner"], [first, second]).items():
        module = env.find_module(name)
        assert (module and str(module.path)) == origin, name


def test_compiled_modules_and_packages_are_found_by_suffix_order(
    tmp_path: Path, elf_module: Path
) -> None:
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    write_files(
        tmp_path,
        {
            f"both{suffix}": elf_module,
            "both.py": "",
            f"compiled/__init__{suffix}": elf_module,
            "compiled/inner.py": "",
            "sourceless.pyc": b"",
            "bare/__init__.pyc": b"",
            "bare/inner.py": "",
            "wrong.cpython-27m.so": elf_module,
        },
    )
    env = environment(tmp_path)
    # `find_spec` of a submodule imports its package, and these hold no real code.
    names = ["both", "compiled", "sourceless", "bare", "wrong"]
    for name, origin in find_specs(names, [tmp_path]).items():
        module = env.find_module(name)
        assert (module and str(module.path)) == origin, name
    for name in ("compiled.inner", "bare.inner"):
        module = env.find_module(name)
        assert module is not None
        assert module.path == tmp_path / f"{name.replace('.', '/')}.py"


def test_builtin_modules_have_no_file_and_no_submodules() -> None:
    module = this_environment().find_module("sys")
    assert module is not None
    assert (module.owner, module.path) == (Owner.STDLIB, None)
    assert this_environment().find_module("sys.flags") is None


def test_a_name_of_very_many_parts_is_not_looked_for() -> None:
    assert this_environment().find_module("a." * 5000 + "b") is None
    assert this_environment().modules_in("a." * 5000 + "b") == ()


def test_a_zip_on_the_path_is_passed_over(tmp_path: Path) -> None:
    archive = tmp_path / "library.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("zipped.py", "")
    env = environment(archive, tmp_path / "missing")
    assert env.sites == ()
    assert env.find_module("zipped") is None


def test_a_folder_from_a_pth_file_belongs_to_nobody(tmp_path: Path) -> None:
    """An editable install: a `.pth` file names the sources, no RECORD lists them."""
    site, source = tmp_path / "site-packages", tmp_path / "src"
    install(site, "edited", files={"edited.pth": str(source)})
    write_files(source, {"edited/__init__.py": "", "edited/part.py": ""})
    env = environment(site, source)
    module = env.find_module("edited.part")
    assert module is not None
    assert (module.owner, module.distribution) == (Owner.NOBODY, None)
    assert env.owner_of(source / "edited/part.py") is None


def test_a_module_belongs_to_the_distribution_whose_record_lists_it(tmp_path: Path) -> None:
    install(tmp_path, "My.Dist", files={"mine/__init__.py": "", "mine/a.py": ""})
    write_files(tmp_path, {"stray.py": ""})
    env = environment(tmp_path)
    module, stray = env.find_module("mine.a"), env.find_module("stray")
    assert module is not None
    assert (module.owner, module.distribution) == (Owner.DISTRIBUTION, "my-dist")
    owner = env.owner_of(tmp_path / "mine/a.py")
    assert owner is not None
    assert owner.name == "my-dist"
    assert stray is not None
    assert stray.owner is Owner.NOBODY


def test_the_innermost_folder_of_the_path_holds_a_file(tmp_path: Path) -> None:
    inner = tmp_path / "lib" / "site-packages"
    write_files(inner, {"a.py": ""})
    env = environment(tmp_path, inner)
    assert env.site_of(inner / "a.py") == inner
    assert env.site_of(tmp_path / "b.py") == tmp_path
    assert env.site_of(Path("/elsewhere/c.py")) is None


def test_the_first_distribution_of_a_name_on_the_path_wins(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    install(first, "twice", "2.0", files={"twice.py": ""})
    install(second, "Twice", "1.0", files={"twice.py": ""})
    env = environment(first, second)
    assert env.distributions["twice"].version == "2.0"
    module = env.find_module("twice")
    assert module is not None
    assert module.path == first / "twice.py"


def test_requirements_follow_markers_and_extras_over_several_steps(tmp_path: Path) -> None:
    install(
        tmp_path, "app",
        requires=["plain", "Fancy.Name>=1", 'never; python_version < "3"',
                  'always; python_version >= "3.8"', 'optional; extra == "more"', "rich-one[deep]",
                  "absent"],
    )  # fmt: skip
    install(tmp_path, "plain", requires=["far", "app"])
    install(tmp_path, "rich-one", requires=['pit; extra == "deep"', 'sky; extra == "high"'])
    for name in ("fancy-name", "never", "always", "optional", "far", "pit", "sky"):
        install(tmp_path, name)
    env = environment(tmp_path)
    expected = {"plain", "fancy-name", "always", "rich-one", "absent", "far", "pit"}
    assert env.installed.requirements_of("App") == expected
    assert env.installed.requirements_of("nowhere") == frozenset()


def test_a_loop_of_requirements_comes_to_an_end(tmp_path: Path) -> None:
    install(tmp_path, "hen", requires=["egg"])
    install(tmp_path, "egg", requires=["hen"])
    assert environment(tmp_path).installed.requirements_of("hen") == {"egg"}


@pytest.mark.parametrize(
    "marker",
    ['sys_platform == "win32"', 'sys_platform == "linux"', 'platform_machine == "x86_64"',
     'implementation_name == "pypy" or python_version < "3.12"', 'os_name != "nt"',
     'python_full_version >= "3.11.4"', 'extra == "x"'],
)  # fmt: skip
def test_markers_are_those_of_the_environment_as_packaging_evaluates_them(
    tmp_path: Path, marker: str
) -> None:
    foreign = {"sys_platform": "win32", "os_name": "nt", "platform_machine": "ARM64",
               "python_version": "3.12", "python_full_version": "3.12.1"}  # fmt: skip
    install(tmp_path, "app", requires=[f"dep; {marker}"])
    env = environment(tmp_path, markers=foreign)
    expected = Marker(marker).evaluate({**env.interpreter.markers, "extra": ""})
    assert ("dep" in env.installed.requirements_of("app")) is expected


def test_a_marker_that_compares_nothing_sensible_does_not_apply(tmp_path: Path) -> None:
    install(tmp_path, "app", requires=['dep; sys_platform ~= "linux"', "other"])
    assert environment(tmp_path).installed.requirements_of("app") == {"other"}


def test_is_required_ignores_extras_and_false_markers(tmp_path: Path) -> None:
    install(tmp_path, "app", requires=["wanted", 'extra-only; extra == "x"', 'no; os_name == "z"'])
    env = environment(tmp_path)
    assert [env.is_required(n) for n in ("wanted", "extra-only", "no")] == [True, False, False]


@pytest.mark.parametrize(
    "content",
    [b"", b"[g]\na\n", b"[g]\na = \xe4:b\n", b"a = b\n", b"[g", b"[g]\n=\n", b"[g]\na = :\n",
     b"[g]\na = b:c [x,]\n", b"[g]\na = \0\n", b"[" * 9000, b"[g]\n" + b"a = b.c\n" * 9000],
)  # fmt: skip
def test_odd_entry_points_do_not_stop_the_others(content: bytes, tmp_path: Path) -> None:
    name = "host-1.0.dist-info/entry_points.txt"
    install(tmp_path, "host", files={name: content})
    install(tmp_path, "good", files={name.replace("host", "good"): "[good]\na = b:c\n"})
    assert environment(tmp_path).installed.entry_points["good"][0][1] == "b"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs in the file system")
def test_entry_points_that_are_no_file_are_not_opened(tmp_path: Path) -> None:
    name = "host-1.0.dist-info/entry_points.txt"
    install(tmp_path, "host", files={name: ""})
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    assert environment(tmp_path).installed.entry_points == {}


def test_odd_metadata_does_not_stop_the_others(tmp_path: Path) -> None:
    install(tmp_path, "good", requires=["one", "not a requirement ???"], files={"good.py": ""})
    write_files(
        tmp_path,
        {
            "nameless-1.dist-info/METADATA": "Version: 1\n",
            "empty-1.dist-info/METADATA": "",
            "bare-1.dist-info/INSTALLER": "pip",
            "latin-1.dist-info/METADATA": "Name: l\nAuthor: Jos\xe9\n".encode("latin-1"),
            "mixed-1.dist-info/METADATA": b"Name: m\xe4\xe2\x80\xae\n",
            "odd-1.dist-info/METADATA": b"Name: odd\nVersion: \xe4\xe2\x80\xae\n",
            "null-1.dist-info/METADATA": "Name: null\nVersion: 1\n",
            "null-1.dist-info/RECORD": "a,b\nlong," + "x" * 200_000,
            "old.egg-info/PKG-INFO": "Name: old\nVersion: 0.9\n",
            "old.egg-info/requires.txt": b"\xe4\nb>1\n",
            "flat.egg-info": "Name: flat\nVersion: 0.8\n",
        },
    )
    faults: list[Fault] = []
    found = {d.name: d for d in iter_distributions(tmp_path, faults)}
    assert set(found) == {"good", "old", "flat", "l", "null", "odd"}
    named = [str(f.path.relative_to(tmp_path)) for f in faults]
    assert len(named) == len(set(named))
    assert set(named) == {
        "good-1.0.dist-info/METADATA", "nameless-1.dist-info/METADATA",
        "empty-1.dist-info/METADATA", "bare-1.dist-info", "null-1.dist-info/RECORD",
        "mixed-1.dist-info/METADATA", "old.egg-info/PKG-INFO",
        "latin-1.dist-info/METADATA", "odd-1.dist-info/METADATA",
    }  # fmt: skip
    assert found["null"].files == ()
    assert [str(r) for r in found["good"].requires] == ["one"]
    assert [str(r) for r in found["old"].requires] == ["b>1"]
    assert found["old"].files == ()


def test_bills_of_materials_are_the_json_files_below_sboms(tmp_path: Path) -> None:
    info = "a-1.0.dist-info"
    files = {
        f"{info}/sboms/a.cyclonedx.json": "{}",
        f"{info}/sboms/read.txt": "",
        "sboms/b.json": "",
    }
    install(tmp_path, "a", files=files)
    (dist,) = iter_distributions(tmp_path)
    assert [str(f) for f in dist.sboms] == [f"{info}/sboms/a.cyclonedx.json"]


def test_another_interpreter_gives_the_same_facts_as_it_would_of_itself() -> None:
    facts, own = read_interpreter(Path(sys.executable)), this_interpreter()
    assert facts.version == own.version == sys.version_info[:2]
    assert facts.stdlib == own.stdlib
    assert facts.suffixes == tuple(importlib.machinery.EXTENSION_SUFFIXES)
    assert facts.markers == own.markers
    env = read_environment(Path(sys.executable))
    assert env.find_module("json") == this_environment().find_module("json")


@pytest.mark.parametrize("answer", ["", "[]", "3", "{}", "null", '{"version": [3, 11]}', "hello"])
def test_what_answers_like_no_interpreter_is_refused(tmp_path: Path, answer: str) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)
    with pytest.raises(InvalidEnvironment, match="does not answer as a Python interpreter"):
        read_interpreter(program)


def test_an_interpreter_that_fails_is_quoted(tmp_path: Path, gcc: Compile) -> None:
    program = gcc("python", '#include <stdio.h>\nint main(void){fputs("odd\\n",stderr);return 3;}')
    with pytest.raises(InvalidEnvironment, match="exit code 3: odd"):
        read_interpreter(program)


def test_the_standard_library_alone_has_no_sites() -> None:
    env = stdlib_environment()
    assert env.sites == ()
    assert env.find_module("json") is not None
    assert env.find_module("pytest") is None


def test_lookups_survive_folders_that_are_files(tmp_path: Path) -> None:
    write_files(tmp_path, {"pkg": "a file without suffix"})
    env: Environment = environment(tmp_path)
    assert env.find_module("pkg") is None
    assert env.find_module("pkg.inner") is None


def test_nobody_has_chosen_the_tools_that_an_environment_comes_with(tmp_path: Path) -> None:
    bundled = Path(ensurepip.__file__).parent.glob("_bundled/*.whl")
    seeds = {"pip", *(wheel.name.partition("-")[0] for wheel in bundled)}
    for name in (*seeds, "chosen"):
        install(tmp_path, name, files={f"{name}/__init__.py": ""})
    env = environment(tmp_path)
    assert {name for name in env.distributions if not env.is_required(name)} == {"chosen"}
