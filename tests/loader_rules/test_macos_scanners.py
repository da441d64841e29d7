"""The freezers' own scanners for macOS beside dyld's rules: where they differ, and who is right.

dyld never looks for the install name in a file's LC_ID_DYLIB: it is what others call the file
(`JustInTimeLoader::matchesPath`). `otool -L` prints it among the libraries all the same.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import macos_scanners
import otool
import pytest
from test_dyld import LC_LOAD_WEAK_DYLIB, dylib, program, set_command

from rustext.formats.binary import read_binary
from rustext.loaders.resolver import resolve
from rustext.loaders.rules import Loader
from rustext.model.image import Image, NeedKind
from rustext.model.libraries import FoundBy, LibraryGraph, Missing, Resolved
from rustext.model.native_file import NativeFile, Provenance
from rustext.plan.destinations import HeaderEdits, Layout, header_edits, iter_moves

pytestmark = pytest.mark.freezing
PLUGIN = Path(__file__).parents[2] / "plugins/RustextPlugin.py"
CARGO = "/Users/runner/work/fsspec-rs/fsspec-rs/target/aarch64-apple-darwin/release/deps"


class Scanners:
    """Asks both scanners about one file."""

    def __init__(self, folder: Path) -> None:
        tool = folder / "bin/otool"
        tool.parent.mkdir()
        command = shlex.join([sys.executable, otool.__file__])
        tool.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        tool.chmod(0o755)
        self._log = folder / "edits"
        editor = tool.with_name("install_name_tool")
        editor.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" END >> {shlex.quote(str(self._log))}\n')
        editor.chmod(0o755)
        self.said = ""  # what Nuitka has printed last
        self._environ = {**os.environ, "PATH": f"{tool.parent}:{os.environ['PATH']}"}

    def ask(
        self, file: Path, site: Path, interpreter: Path, *, plugin: bool = False, **edits: object
    ) -> tuple[dict, dict]:
        folder = file.parent.relative_to(site)
        package = ".".join(folder.parts) if (site / folder / "__init__.py").exists() else ""
        command = [sys.executable, macos_scanners.__file__, str(site), str(interpreter)]
        done = subprocess.run(
            [*command, str(PLUGIN)] if plugin else command,
            input=json.dumps({"package": package, "path": str(file), **edits}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=self._environ,
        )
        self.said = done.stdout + done.stderr
        lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
        assert len(lines) == 1, done.stdout + done.stderr
        answer = json.loads(lines[0].removeprefix("ANSWER "))
        return answer["nuitka"], answer["pyinstaller"]

    def edits(self) -> list[list[str]]:
        """The arguments of each call of install_name_tool."""
        text = self._log.read_text() if self._log.exists() else ""
        return [call.splitlines() for call in text.split("END\n") if call]


@pytest.fixture
def scanners(tmp_path):
    return Scanners(tmp_path)


@pytest.fixture
def module(tmp_path):
    """Download a wheel for CPython 3.11 on an arm64 Mac, and unpack it: its site and one file."""

    def unpack(requirement: str, name: str) -> tuple[Path, Path]:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        command += ["--only-binary=:all:", "--python-version", "3.11"]
        command += ["--platform", "macosx_15_0_arm64", "--dest", str(tmp_path), requirement]
        subprocess.run(command, check=True, timeout=300)
        (archive,) = tmp_path.glob("*.whl")
        with zipfile.ZipFile(archive) as content:
            content.extractall(tmp_path / "site")
        return tmp_path / "site", tmp_path / "site" / name

    return unpack


def unmet(graph: LibraryGraph) -> list[str]:
    return sorted({edge.soname for edge in graph.missing})


def others(answer: dict[str, str | None]) -> dict[str, str | None]:
    """What is not the system's; macholib knows the system's libraries on a Mac alone."""
    system = ("/usr/lib/", "/System/Library/")
    return {name: file for name, file in answer.items() if not name.startswith(system)}


@pytest.mark.network
@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("tsdownsample==0.1.5", "tsdownsample/_rust/_tsdownsample_rs.cpython-311-darwin.so"),
        ("rocksdict==0.3.29", "rocksdict/rocksdict.cpython-311-darwin.so"),
        ("polars-avro==0.13.0", "polars_avro/_avro_rs.abi3.so"),
        ("featomic==0.6.7", "featomic/lib/libfeatomic.dylib"),
    ],
)
def test_all_agree_that_a_file_does_not_need_its_own_install_name(
    scanners, module, requirement, name
):
    site, file = module(requirement, name)
    nuitka, pyinstaller = scanners.ask(file, site, file)
    graph = resolve(file, loader=Loader())
    own = read_binary(file).image.soname
    assert own
    assert own not in {edge.soname for edge in graph.edges}
    assert own not in pyinstaller
    # both find the same others missing; Nuitka stops at the first
    assert unmet(graph) == sorted(others(pyinstaller))
    assert nuitka == (
        {"stops": True} if unmet(graph) else {"stops": False, "own": True, "found": {}}
    )


@pytest.mark.network
@pytest.mark.parametrize(
    ("requirement", "name", "own"),
    [
        # an install name for another Python version than the file's
        ("adblock==0.6.0", "adblock/adblock.abi3.so", "@rpath/adblock.cpython-37m-darwin.so"),
        # the name of the crate, not of the module
        (
            "egg-smol==0.3.1",
            "egg_smol/bindings.cpython-311-darwin.so",
            "@rpath/egg_smol_python.cpython-311-darwin.so",
        ),
        # cargo's output on the build machine
        (
            "fsspec-rs==0.1.5",
            "fsspec_rs/fsspec_rs.abi3.so",
            f"{CARGO}/libfsspec_rs.dylib",
        ),
    ],
)
def test_nuitka_stops_at_an_own_install_name_that_it_does_not_recognise(
    scanners, module, requirement, name, own
):
    site, file = module(requirement, name)
    assert read_binary(file).image.soname == own
    nuitka, pyinstaller = scanners.ask(file, site, file)
    assert nuitka == {"stops": True}  # "failed to find path …, please report the bug"
    graph = resolve(file, loader=Loader())
    assert unmet(graph) == sorted(others(pyinstaller)) == []
    assert {edge.how for edge in graph.edges if isinstance(edge, Resolved)} == {FoundBy.SYSTEM}


def freeze(scanners: Scanners, file: Path, site: Path, main: Path) -> tuple[dict, Path]:
    """Let Nuitka, with the plugin, copy a file into a bundle; its answer and the file's place."""
    bundle = main.parent / "bundle"
    bundle.mkdir()
    answer, _ = scanners.ask(file, site, main, plugin=True, bundle=str(bundle))
    return answer, bundle / file.relative_to(site)


@pytest.mark.network
@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("adblock==0.6.0", "adblock/adblock.abi3.so"),
        ("fsspec-rs==0.1.5", "fsspec_rs/fsspec_rs.abi3.so"),
        ("mitmproxy-wireguard==0.1.23", "mitmproxy_wireguard/mitmproxy_wireguard.abi3.so"),
    ],
)
def test_with_the_plugin_nuitka_copies_files_with_names_that_it_does_not_recognise(
    scanners, module, lab, requirement, name
):
    site, file = module(requirement, name)
    answer, place = freeze(scanners, file, site, program(lab, "main"))
    assert not answer["stops"], scanners.said
    assert answer["found"] == {}
    assert answer["copied"] == [name, "program"]
    assert place.read_bytes() == file.read_bytes()  # install_name_tool is only a recorder here


@pytest.mark.parametrize(
    ("package", "own"),
    [
        ("pkg", "@rpath/libcrate.dylib"),
        ("pkg", "@rpath/mod.cpython-37m-darwin.so"),
        ("pkg", "@rpath/other.folder/mod.so"),
        ("pkg/sub", "/Users/runner/work/crate/target/release/deps/libcrate.dylib"),
        ("pkg", "mod"),
        (".", "@rpath/libcrate.dylib"),
        (".", "/usr/local/lib/python3.9/site-packages/mod.cpython-39-darwin.so"),
    ],
)
def test_with_the_plugin_no_own_name_stops_nuitka(scanners, lab, package, own):
    site = lab.folder / "site"
    file = dylib(lab, f"site/{package}/mod.abi3.so", install=own)
    for folder in file.parent.relative_to(site).parents:
        (site / folder / "__init__.py").touch()
    if package != ".":
        (file.parent / "__init__.py").touch()
    answer, place = freeze(scanners, file, site, program(lab, "main"))
    assert not answer["stops"], scanners.said
    assert answer["found"] == {}
    assert answer["copied"] == [str(file.relative_to(site)), "program"]
    assert place.read_bytes() == file.read_bytes()
    assert [call[:2] for call in scanners.edits()] in ([], [["-id", "mod.abi3.so"]])


def test_with_the_plugin_libraries_beside_the_file_are_still_found(scanners, lab):
    site = lab.folder / "site"
    two = dylib(lab, "site/deep/er/two.dylib", install="@loader_path/../deep/er/two.dylib")
    one = dylib(
        lab, "site/libs/one.dylib", "site/deep/er/two.dylib", install="@rpath/one.dylib"
    )  # fmt: skip
    file = dylib(
        lab, "site/pkg/mod.abi3.so", "site/libs/one.dylib",
        install="@rpath/crate.so", rpaths=["@loader_path/../libs"],
    )  # fmt: skip
    (site / "pkg/__init__.py").touch()
    answer, place = freeze(scanners, file, site, program(lab, "main"))
    assert not answer["stops"], scanners.said
    assert answer["copied"] == ["one.dylib", "pkg/mod.abi3.so", "program", "two.dylib"]
    bundle = place.parents[1]
    assert (bundle / "one.dylib").read_bytes() == one.read_bytes()
    assert (bundle / "two.dylib").read_bytes() == two.read_bytes()
    assert place.read_bytes() == file.read_bytes()
    edits = {Path(call[-1]).name: grouped(call)[:-1] for call in scanners.edits()}
    change = ("-change", "@rpath/one.dylib", "@executable_path/one.dylib")
    assert change in edits["mod.abi3.so"]
    change = ("-change", "@loader_path/../deep/er/two.dylib", "@executable_path/two.dylib")
    assert change in edits["one.dylib"]


def test_with_the_plugin_a_missing_library_is_named_before_nuitka_stops(scanners, lab):
    site = lab.folder / "site"
    gone = dylib(lab, "site/gone.dylib", install="/opt/homebrew/lib/gone.1.dylib")
    file = dylib(lab, "site/mod.so", "site/gone.dylib", install="@rpath/crate.so")
    gone.unlink()
    answer, _ = freeze(scanners, file, site, program(lab, "main"))
    assert answer == {"stops": True}
    warning = f"'{file}' needs '/opt/homebrew/lib/gone.1.dylib', which was not found"
    said = " ".join(scanners.said.split())
    assert warning in said
    assert said.index(warning) < said.index("FATAL")


def test_with_the_plugin_a_library_of_another_distribution_is_found(scanners, lab):
    """The package loads it by path before its own, and dyld then knows it by its install name."""
    site = lab.folder / "site"
    library = dylib(lab, "site/core/lib/libcore.dylib")
    file = dylib(lab, "site/user/libuser.dylib", "site/core/lib/libcore.dylib")
    (site / "user/__init__.py").touch()
    for name, files in {"core": [library], "user": [file, site / "user/__init__.py"]}.items():
        info = site / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{path.relative_to(site)},," for path in files]
        (info / "RECORD").write_text("\n".join([*lines, f"{info.name}/METADATA,,", ""]))
    main = program(lab, "main")
    assert scanners.ask(file, site, main)[0] == {"stops": True}
    answer, _ = freeze(scanners, file, site, main)
    assert not answer["stops"], scanners.said
    assert answer["found"] == {"@rpath/libcore.dylib": str(library)}


@pytest.mark.network
def test_nuitka_takes_a_folder_for_the_library_that_an_own_install_name_means(scanners, module):
    site, file = module(
        "mitmproxy-wireguard==0.1.23", "mitmproxy_wireguard/mitmproxy_wireguard.abi3.so"
    )
    nuitka, pyinstaller = scanners.ask(file, site, file)
    own = read_binary(file).image.soname
    assert own == "@rpath/mitmproxy_wireguard"
    assert not nuitka["own"]
    assert Path(nuitka["found"][own]).is_dir()
    graph = resolve(file, loader=Loader())
    assert own not in {edge.soname for edge in graph.edges}
    assert unmet(graph) == sorted(others(pyinstaller)) == []


def test_pyinstaller_does_not_pass_run_paths_on(scanners, lab):
    """dyld searches the run paths of all images on the way; PyInstaller those of the file alone."""
    leaf = dylib(lab, "libs/leaf.dylib")
    mid = dylib(lab, "mid/mid.dylib", "libs/leaf.dylib")
    top = dylib(lab, "top.so", "mid/mid.dylib", rpaths=["@loader_path/mid", "@loader_path/libs"])
    main = program(lab, "main")
    _, pyinstaller = scanners.ask(mid, lab.folder, main)
    assert others(pyinstaller) == {"@rpath/leaf.dylib": None}
    found = lab.edge(resolve(top, loader=Loader(executable=main)), "@rpath/leaf.dylib")
    assert isinstance(found, Resolved)
    assert (found.path, found.needed_by) == (leaf, mid)


def test_nuitka_stops_at_a_weak_library_that_is_absent(scanners, lab):
    dylib(lab, "weak.dylib", install="@loader_path/weak.dylib")
    module = dylib(lab, "mod.so", "weak.dylib")
    set_command(module, "@loader_path/weak.dylib", LC_LOAD_WEAK_DYLIB)
    (lab.folder / "weak.dylib").unlink()
    nuitka, pyinstaller = scanners.ask(module, lab.folder, module)
    assert nuitka == {"stops": True}
    assert others(pyinstaller) == {"@loader_path/weak.dylib": None}
    graph = resolve(module, loader=Loader())
    edge = lab.edge(graph, "@loader_path/weak.dylib")
    assert isinstance(edge, Missing)
    assert edge.kind is NeedKind.WEAK
    assert graph.missing == ()


def test_nuitka_takes_the_files_folder_for_that_of_the_program(scanners, lab):
    """@executable_path is the folder of what runs, wherever the library is."""
    dylib(lab, "app/x.dylib", install="@executable_path/x.dylib")
    module = dylib(lab, "app/pkg/mod.so", "app/x.dylib")
    decoy = lab.path("app/pkg/x.dylib")
    decoy.write_bytes((lab.folder / "app/x.dylib").read_bytes())
    main = program(lab, "app/main")
    nuitka, pyinstaller = scanners.ask(module, lab.folder, main)
    assert nuitka["found"] == {"@executable_path/x.dylib": str(decoy)}
    assert others(pyinstaller) == {"@executable_path/x.dylib": str(decoy)}  # its own folder first
    found = lab.edge(resolve(module, loader=Loader(executable=main)), "@executable_path/x.dylib")
    assert isinstance(found, Resolved)
    assert found.path == lab.folder / "app/x.dylib"


def arguments(image: Image, edits: HeaderEdits, copy: Path) -> list[tuple[str, ...]]:
    """What install_name_tool would be told, sorted by option; a name that stays is not told."""
    options = [("-change", old, new) for old, new in edits.libraries.items() if old != new]
    if edits.install_name not in {None, image.soname}:
        options.append(("-id", edits.install_name))
    options += [("-delete_rpath", rpath) for rpath in edits.removed_rpaths]
    options += [("-add_rpath", rpath) for rpath in edits.added_rpaths]
    return [*sorted(options), (str(copy),)]


def grouped(call: list[str]) -> list[tuple[str, ...]]:
    options, rest = [], call
    while len(rest) > 1:
        count = 3 if rest[0] == "-change" else 2
        options.append(tuple(rest[:count]))
        rest = rest[count:]
    return [*sorted(options), tuple(rest)]


@pytest.mark.parametrize("rpaths", [(), ("@loader_path/../libs", "/opt/x"), ("@loader_path/..",)])
def test_header_edits_are_those_that_the_freezers_make(scanners, lab, rpaths):
    site = lab.folder / "site"
    dylib(lab, "site/libs/one.dylib", install="@loader_path/../libs/one.dylib")
    two = dylib(lab, "site/pkg/two.dylib", install="@loader_path/two.dylib")
    module = dylib(
        lab, "site/pkg/mod.so", "site/libs/one.dylib", "site/pkg/two.dylib",
        install="@rpath/pkg.mod.so", rpaths=rpaths,
    )  # fmt: skip
    (site / "pkg/__init__.py").touch()
    image = read_binary(module).image
    graph = resolve(module, loader=Loader())
    assert graph.missing == ()
    file = NativeFile(
        path=PurePosixPath("pkg/mod.so"), distribution=None, version=None, module="pkg.mod",
        suffix=".so", binary=read_binary(module), provenance=Provenance(rust=True), naming=(),
        explanation="",
    )  # fmt: skip
    placed = {two: PurePosixPath("pkg/two.dylib")}  # one that Nuitka was told to keep in its place
    moves = {lay: list(iter_moves(file, graph, site, lay, placed=placed)) for lay in Layout}
    copies = {lay: lab.path(f"bundle/{lay.value}/pkg/mod.so") for lay in Layout}
    for copy in copies.values():
        copy.write_bytes(module.read_bytes())
    scanners.ask(
        module, site, module,
        moves={
            lay.name.lower(): {str(m.source): str(m.destination) for m in moves[lay]}
            for lay in Layout
        },
        nuitka_copy=str(copies[Layout.NUITKA]),
        pyinstaller_copy=str(copies[Layout.PYINSTALLER]),
    )  # fmt: skip
    expected = [
        arguments(image, header_edits(image, graph, moves[lay], lay), copies[lay]) for lay in Layout
    ]
    assert [grouped(call) for call in scanners.edits()] == expected
