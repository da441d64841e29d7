"""What a freezer is told as modules enter a build, and the hooks that are written before one.

The environment is made of folders; its one Rust extension is compiled by rustc in the test.
"""

from __future__ import annotations

import ast
import errno
import importlib.machinery
import importlib.util
import marshal
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest
from compiling import Compile, compiler
from environments import Files, environment, install, write_files

from rustext.config import Config, Optional, Scope
from rustext.environment.environment import Environment
from rustext.errors import InvalidBinary, InvalidConfiguration, UnreadableFile
from rustext.freezing.build import Build, start_build
from rustext.freezing.pyinstaller.hook_cache import cached_hooks, fingerprint
from rustext.freezing.pyinstaller.hook_files import (
    iter_hook_targets,
    write_hooks,
    write_short_hooks,
)
from rustext.freezing.pyinstaller.project_hooks import (
    are_taken,
    arguments_of,
    find_odd_folders,
    read_given_folders,
)
from rustext.model.evidence import EvidenceKind
from rustext.model.plan import CompanionKind, Verdict
from rustext.plan.planner import Planner

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]

# `PyImport_Import` is looked up at run time; each name is a `&str` whose bounds the data knows.
RUST = """
use std::ffi::{c_char, c_void};
extern "C" { fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void; }
#[no_mangle] pub static NAMES: [&str; 6] =
    ["zoneinfo._common", "app.part", "needed.sub", "popular.inner", "alone.inner", "no.where"];
#[no_mangle] pub extern "C" fn PyInit__core() -> *mut c_void {
    unsafe { dlsym(std::ptr::null_mut(), "PyImport_Import\\0".as_ptr().cast()) }
}
"""
HOOKS = ("hook-app._core.py", "hook-app.py", "hook-bypath.py")
LIBRARY = '#[no_mangle] pub extern "C" fn add(a: i32) -> String { a.to_string() }'


@pytest.fixture(scope="module")
def rustc(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    command = ["rustc", "--edition=2021", "--crate-type=cdylib", "-Awarnings"]
    return compiler(command, tmp_path_factory.mktemp("rustc"))


@dataclass(frozen=True, kw_only=True)
class Lab:
    site: Path
    env: Environment

    @property
    def core(self) -> Path:
        return self.site / f"app/_core{SUFFIX}"

    def planner(self, **options: object) -> Planner:
        return Planner(self.env, Config(**options))  # type: ignore[arg-type]

    def build(self, **options: object) -> Build:
        return Build(self.planner(**options))


@pytest.fixture
def lab(tmp_path: Path, rustc: Compile, gcc: Compile) -> Lab:
    site = tmp_path / "site-packages"
    files: Files = {
        "app/__init__.py": "", "app/part.py": "", f"app/_core{SUFFIX}": rustc("libcore.so", RUST),
        "app/libhelper.so": rustc("libhelper.so", LIBRARY),
        "app/bin/tool": gcc("tool", "int main(void) { return 0; }"),
    }  # fmt: skip
    install(site, "app", files=files, requires=["needed"])
    install(site, "needed", files={"needed/__init__.py": "", "needed/sub.py": ""})
    install(site, "popular", files={"popular/__init__.py": "", "popular/inner.py": ""})
    install(site, "fan", requires=["popular"])
    install(site, "alone", files={"alone/__init__.py": "", "alone/inner.py": ""})
    plain = gcc("plain.so", "void *PyInit_plain(void) { return 0; }", "-shared", "-fPIC")
    install(site, "c-only", files={f"plain{SUFFIX}": plain})
    install(site, "by-path", "2.0", files={"bypath/__init__.py": "",
            "bypath/lib/libby.so": rustc("libby.so", LIBRARY)})  # fmt: skip
    return Lab(site=site, env=environment(site))


# --- plan -------------------------------------------------------------------------------------


def test_a_plan_holds_what_the_binary_says_with_evidence(lab: Lab) -> None:
    plan = lab.planner().plan_extension(lab.core)
    assert plan is not None
    assert {i.module: i.verdict for i in plan.imports} == {
        "zoneinfo._common": Verdict.INCLUDE,
        "app.part": Verdict.INCLUDE,
        "needed.sub": Verdict.INCLUDE,
        "popular.inner": Verdict.IF_PRESENT,
        "alone.inner": Verdict.INCLUDE,
    }
    assert {i.evidence[0].kind for i in plan.imports} == {EvidenceKind.EXACT_STRING}
    data = lab.core.read_bytes()
    for implicit in plan.imports:
        for evidence in implicit.evidence:
            offset = int(evidence.where.rpartition("0x")[2], 16)
            assert data[offset:].startswith(implicit.module.encode())
    assert {c.destination for c in plan.companions} >= {
        PurePosixPath("app/libhelper.so"), PurePosixPath("app/bin/tool"),
        PurePosixPath("app-1.0.dist-info/METADATA"),
    }  # fmt: skip
    assert plan.libraries.edges
    assert plan.warnings == ()


def test_a_plan_holds_what_python_code_imports_by_name(lab: Lab) -> None:
    """As `PyImport_Import` of Rust code, with the same price: what others require may be absent."""
    function = "def require(name):\n    return importlib.import_module(name)\n"
    calls = "".join(f"require({n!r})\n" for n in ("alone", "popular", "nowhere", "plain"))
    (lab.site / "app/part.py").write_text(f"import importlib\n{function}{calls}")
    plan = lab.planner().plan_extension(lab.core)
    assert plan is not None
    named = {
        i.module: (i.verdict, evidence.where)
        for i in plan.imports
        for evidence in i.evidence
        if evidence.kind is EvidenceKind.PYTHON_CALL
    }
    assert named == {
        "alone": (Verdict.INCLUDE, "app/part.py"),
        "plain": (Verdict.INCLUDE, "app/part.py"),
        "popular": (Verdict.IF_PRESENT, "app/part.py"),
    }


def test_a_file_without_rust_has_no_plan(lab: Lab) -> None:
    assert lab.planner().plan_extension(lab.site / f"plain{SUFFIX}") is None
    with pytest.raises(InvalidBinary):
        lab.planner().plan_extension(lab.site / "app/part.py")


def test_a_missing_library_is_a_warning(lab: Lab, rustc: Compile, gcc: Compile) -> None:
    gone = gcc("libgone.so", "int gone;", "-shared", "-fPIC", "-Wl,-soname,libgone.so.7")
    flags = [f"-Clink-arg={gone}", "-Clink-arg=-Wl,--no-as-needed"]
    broken = lab.site / f"app/broken{SUFFIX}"
    broken.write_bytes(rustc("libbroken.so", LIBRARY, flags[1], flags[0]).read_bytes())
    plan = lab.planner().plan_extension(broken)
    assert plan is not None
    expected = f"app/broken{SUFFIX} needs `libgone.so.7`, which is not on this machine"
    assert plan.warnings == (expected,)


def test_a_library_of_another_distribution_has_to_be_loaded_first(
    lab: Lab, rustc: Compile, gcc: Compile
) -> None:
    """As metatensor's library, which featomic's needs and metatensor's Python code opens."""
    theirs = gcc("libtheirs.so", "int x;", "-shared", "-fPIC", "-Wl,-soname,libtheirs.so")
    flags = ["-Clink-arg=-Wl,--no-as-needed", f"-Clink-arg={theirs}"]
    user = lab.site / f"app/user{SUFFIX}"
    user.write_bytes(rustc("libuser.so", LIBRARY, *flags).read_bytes())
    install(lab.site, "theirs", files={"theirs/lib/libtheirs.so": theirs})
    plan = Planner(environment(lab.site), Config()).plan_extension(user)
    assert plan is not None
    expected = f"app/user{SUFFIX} needs `libtheirs.so` of theirs, which has to be loaded first"
    assert plan.warnings == (expected,)


def test_the_configuration_adds_and_overrides(lab: Lab) -> None:
    plan = lab.planner(include=("mine", "popular.inner"), optional=Optional.NEVER).plan_extension(
        lab.core
    )
    assert plan is not None
    verdicts = {i.module: i.verdict for i in plan.imports}
    assert verdicts["mine"] is verdicts["popular.inner"] is Verdict.INCLUDE
    assert verdicts["alone.inner"] is Verdict.REPORT
    assert list(verdicts) == sorted(verdicts)


# --- build ------------------------------------------------------------------------------------


def test_an_extension_brings_its_imports_and_waits_for_what_is_optional(lab: Lab) -> None:
    build = lab.build()
    found = {i.module for i in build.enter("app._core", lab.core)}
    assert found == {"zoneinfo._common", "app.part", "needed.sub", "alone.inner"}
    assert [i.module for i in build.enter("popular", lab.site / "popular/__init__.py")] == [
        "popular.inner"
    ]
    assert build.enter("popular.inner", lab.site / "popular/inner.py") == ()
    assert set(build.modules) == {*found, "popular.inner"}


def test_what_is_there_already_does_not_have_to_wait(lab: Lab) -> None:
    build = lab.build()
    assert build.enter("popular", lab.site / "popular/__init__.py") == ()
    assert "popular.inner" in {i.module for i in build.enter("app._core", lab.core)}


def test_each_thing_is_said_once(lab: Lab) -> None:
    build = lab.build()
    assert build.enter("app._core", lab.core)
    assert build.enter("app._core", lab.core) == ()
    kinds = (CompanionKind.LIBRARY, CompanionKind.EXECUTABLE)
    first = [str(c.destination) for c in build.accompany(lab.core, *kinds)]
    assert first == ["app/bin/tool", "app/libhelper.so"]
    assert list(build.accompany(lab.site / "app/part.py", *kinds)) == []
    assert [c.kind for c in build.accompany(lab.core, CompanionKind.METADATA)]
    assert build.summary().startswith("Rust extensions: 1, modules added: 4, files")


def test_other_modules_bring_nothing(lab: Lab) -> None:
    build = lab.build()
    for name in ("plain", "fan", "alone"):
        path = build.file_of(name)
        assert build.enter(name, path) == ()
    assert build.enter("sys", None) == ()
    assert list(build.accompany(lab.site / f"plain{SUFFIX}", *CompanionKind)) == []
    assert list(build.accompany(Path("/nowhere.py"), *CompanionKind)) == []
    assert build.plans == {}
    assert build.summary() == ("Rust extensions: 0, modules added: 0, files added: 0")


def test_a_build_reads_the_configuration_beside_the_program(tmp_path: Path) -> None:
    files = {"pyproject.toml": '[tool.rustext]\ninclude = ["mine"]', "mine.py": ""}
    write_files(tmp_path, files)
    assert start_build(tmp_path).planner.config.include == ("mine",)
    write_files(tmp_path, {"pyproject.toml": "[tool.rustext]\nx = 1"})
    with pytest.raises(InvalidConfiguration):
        start_build(tmp_path)


# --- hooks ------------------------------------------------------------------------------------


def test_each_rust_extension_gets_a_hook_and_nothing_else_does(lab: Lab, tmp_path: Path) -> None:
    targets = {t.module: t.why for t in iter_hook_targets(lab.planner())}
    assert targets == {
        "app._core": f"app/_core{SUFFIX} of app 1.0",
        "app": "native files of app 1.0",  # its Python code may load something by path
        "bypath": "native files of by-path 2.0",
    }
    written = write_short_hooks(lab.planner(), tmp_path / "new" / "hooks")
    early, *hooks = sorted(written, key=lambda p: p.parent, reverse=True)
    hooks.sort()
    others = ("alone", "needed", "plain", "popular")
    names = {p.name for p in hooks}
    assert names == {*HOOKS, *(f"hook-{name}.py" for name in others)}
    assert (early.parent.name, early.name) == ("pre_safe_import_module", "hook-app._core.py")
    for path in hooks:
        module = path.stem.removeprefix("hook-")
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        names = [c.args[0].value for c in calls if c.args and isinstance(c.args[0], ast.Constant)]
        assert names == [module]
    defined = [n for n in ast.parse(early.read_text()).body if isinstance(n, ast.FunctionDef)]
    assert [f.name for f in defined] == ["pre_safe_import_module"]


def test_written_hooks_say_what_they_add_and_where_it_comes_from(
    lab: Lab, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for folder in ("one", "two"):
        write_hooks(Planner(environment(lab.site), Config()), tmp_path / folder)
    assert caplog.messages == []
    names = ("hook-app._core.py", "hook-app.py")
    text = "".join((tmp_path / "one" / name).read_text() for name in names)
    assert text == "".join((tmp_path / "two" / name).read_text() for name in names)
    assert str(tmp_path) not in text
    lists = {
        node.targets[0].id: [ast.unparse(item) for item in node.value.elts]
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.List)
    }
    plan = lab.build().plan(lab.core)
    assert plan is not None
    assert lists["hiddenimports"] == [repr(i.module) for i in plan.modules(Verdict.INCLUDE)]
    assert lists["_optional"] == [repr(i.module) for i in plan.modules(Verdict.IF_PRESENT)]
    assert "(str(_file('app/libhelper.so')), 'app')" in lists["binaries"]
    entries = [line for line in text.splitlines() if line.startswith("    ")]
    assert all(line.startswith("    # ") for line in entries[::2])
    assert not any(line.startswith("    # ") for line in entries[1::2])


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("gone")])
def test_there_is_no_hook_beside_one_that_cannot_be_read(
    lab: Lab, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    others, folder = tmp_path / "others", tmp_path / "hooks"
    others.mkdir()
    make(others / "hook-app.py")
    written = {path.name for path in write_short_hooks(lab.planner(), folder, others=[others])}
    assert "hook-app.py" not in written
    assert "hook-app._core.py" in written


def test_there_is_no_hook_beside_one_of_the_programs_own_that_is_not_utf_8(
    lab: Lab, tmp_path: Path
) -> None:
    """PyInstaller tells no entry point of `--additional-hooks-dir`."""
    project = tmp_path / "project"
    odd = "# -*- coding: latin-1 -*- \xe4\n".encode("latin-1")
    files: Files = {
        "app.py": "", "packaging/hooks/hook-app.py": odd, "good/hook-app._core.py": "# ä\n",
        "early/pre_safe_import_module/hook-app._core.py": odd,
        ".venv/hook-bypath.py": odd, "node_modules/hook-bypath.py": odd, "a/b/c/d/hook-x.py": odd,
    }  # fmt: skip
    write_files(project, files)
    folders = find_odd_folders([project, project, tmp_path / "none"])
    assert folders == (project / "early", project / "packaging/hooks")
    places = [
        {path.relative_to(folder) for path in folder.rglob("hook-*.py")}
        for folder in (
            cached_hooks(lab.env, Config(), tmp_path / "cache", odd=odd) for odd in ((), folders)
        )
    ]
    gone = {Path("hook-app.py"), Path("pre_safe_import_module/hook-app._core.py")}
    assert places[0] - places[1] == gone
    assert not places[1] - places[0]


def test_the_folders_of_hooks_that_a_command_line_names_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = "# -*- coding: latin-1 -*- \xe4\n".encode("latin-1")
    spec = "Analysis(['app.py'], hookspath=['../far/of spec', '~/mine'], x='\\0' + 9999 * 'a')\n"
    write_files(tmp_path, {
        "here/app.spec": spec, "here/broken.spec": "Analysis(", "mine/hook-app.py": odd,
        "here/build.py": "run(['app.py', '--additional-hooks-dir', '../far/script'])\n",
        "far/script/hook-app.py": odd,
        "far/of spec/hook-app.py": odd, "far/option/pre_find_module_path/hook-app.py": odd,
        "far/good/hook-app.py": "", "far/good/below/hook-app.py": odd,
    })  # fmt: skip
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    words = [
        "app.spec",
        "build.py",
        "broken.spec",
        "none.spec",
        "--additional-hooks-dir=../far/option",
    ]
    given = read_given_folders(["PyInstaller", *words, "--additional-hooks-dir", "../far/good"])
    found = [folder.resolve() for folder in find_odd_folders([], given)]
    far = [tmp_path / "far" / name for name in ("of spec", "option", "script")]
    assert found == [*far, tmp_path / "mine"]
    assert are_taken(["hook-app.py"], given)
    assert not are_taken(["hook-app.py", "hook-none.py"], given)


@pytest.mark.skipif(sys.platform != "linux", reason="procfs is Linux's")
def test_the_command_line_of_a_process_is_read() -> None:
    source = "input(print(flush=True))"
    command = [sys.executable, "-c", source, "--additional-hooks-dir=ä b", ""]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it runs now
        assert arguments_of(process.pid) == command[:-1]
        process.communicate(b"\n")


def test_a_fifo_among_the_hooks_of_an_earlier_time_is_not_waited_for(
    lab: Lab, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "hook-mine.py")
    write_hooks(lab.planner(), tmp_path)
    assert (tmp_path / "hook-app.py").is_file()


def test_hooks_of_an_earlier_time_are_removed_and_no_others(lab: Lab, tmp_path: Path) -> None:
    write_hooks(lab.planner(), tmp_path)
    (tmp_path / "hook-mine.py").write_text("hiddenimports = []\n")
    shutil.rmtree(lab.site / "app")
    shutil.rmtree(lab.site / "app-1.0.dist-info")
    write_hooks(Planner(environment(lab.site), Config()), tmp_path)
    left = {p.name for p in tmp_path.glob("hook-*")}
    assert left >= {"hook-bypath.py", "hook-mine.py"}
    assert left.isdisjoint({"hook-app.py", "hook-app._core.py"})


def test_an_extension_of_the_sources_gets_a_hook(lab: Lab, tmp_path: Path) -> None:
    source = tmp_path / "src"
    write_files(source, {"own/__init__.py": "", f"own/_core{SUFFIX}": lab.core})
    planner = Planner(environment(lab.site, source), Config())
    assert "own._core" in {t.module for t in iter_hook_targets(planner)}


def test_hooks_are_kept_while_nothing_changes(lab: Lab, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    folder = cached_hooks(lab.env, Config(), cache)
    names = sorted(p.name for p in folder.glob("hook-*"))
    assert set(names) > set(HOOKS)
    stamp = (folder / "hook-bypath.py").stat().st_mtime_ns
    assert cached_hooks(lab.env, Config(), cache) == folder
    assert (folder / "hook-bypath.py").stat().st_mtime_ns == stamp
    install(lab.site, "newcomer", files={"new.py": ""})
    other = cached_hooks(environment(lab.site), Config(), cache)
    assert other != folder


def test_a_reinstalled_distribution_changes_the_fingerprint(lab: Lab) -> None:
    before = fingerprint(lab.env, Config())
    record = lab.site / "app-1.0.dist-info/RECORD"
    os.utime(record, ns=(1, 1))
    assert fingerprint(environment(lab.site), Config()) != before


def test_another_scope_has_hooks_of_its_own(lab: Lab) -> None:
    native = Config(scope=Scope.NATIVE)
    assert fingerprint(lab.env, native) != fingerprint(lab.env, Config())


@pytest.mark.heavy
def test_builds_in_several_processes_agree_on_one_folder(lab: Lab, tmp_path: Path) -> None:
    script = tmp_path / "build.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from rustext.config import Config\n"
        "from rustext.environment.environment import this_environment\n"
        "from rustext.freezing.pyinstaller.hook_cache import cached_hooks\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "folder = cached_hooks(this_environment(), Config(), Path(sys.argv[1]))\n"
        "print(folder, len(list(folder.glob('hook-*.py'))))\n"
    )
    command = [sys.executable, str(script), str(tmp_path / "cache")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    env = {**os.environ, "PYTHONPATH": str(lab.site)}
    builds = [subprocess.Popen(command, env=env, **pipes) for _ in range(3)]
    for build in builds:
        assert build.stdout is not None
        assert build.stdout.readline() == "ready\n"
    answers = {build.communicate("go\n", timeout=60)[0] for build in builds}
    assert [build.returncode for build in builds] == [0] * 3
    (answer,) = answers
    folder, count = answer.split()
    assert int(count) >= 2
    home = tmp_path / "cache" / "pyinstaller"
    assert [p.name for p in home.iterdir()] == [Path(folder).name]


def test_the_cache_keeps_the_newest_folders_and_those_in_use(lab: Lab, tmp_path: Path) -> None:
    home = tmp_path / "cache" / "pyinstaller"
    now = time.time()
    for index in range(20):
        (home / f"old{index}").mkdir(parents=True)
        os.utime(home / f"old{index}", (index, index))
    for name, used in ((".draft-stopped", 0), (".draft-at-work", now), ("used-today", now - 9999)):
        (home / name).mkdir()
        os.utime(home / name, (used, used))
    folder = cached_hooks(lab.env, Config(), tmp_path / "cache")
    kept = {p.name for p in home.iterdir()}
    newest = {f"old{i}" for i in range(14, 20)}
    assert kept == {folder.name, "used-today", ".draft-at-work", *newest}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's folder for temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_without_a_cache_folder_hooks_go_to_a_temporary_one(
    lab: Lab, tmp_path: Path, temporary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_text("a file: no folder can be made here, not even by root")
    folder = cached_hooks(lab.env, Config(), tmp_path / "cache")
    assert folder.is_relative_to(temporary)
    assert (folder / "hook-app._core.py").is_file()
    assert temporary.joinpath(f"rustext-{os.getuid()}").stat().st_mode & 0o777 == 0o700
    (warning,) = caplog.messages
    reason = f"cannot write to `{tmp_path / 'cache/pyinstaller'}`: not a directory"
    assert warning == f"rustext: {reason}; hooks go to a temporary folder"
    assert cached_hooks(lab.env, Config(), tmp_path / "cache") == folder


def test_hooks_are_never_put_where_others_can_write(
    lab: Lab, tmp_path: Path, temporary: Path
) -> None:
    (tmp_path / "cache").touch()
    shared = temporary / f"rustext-{os.getuid()}"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(UnreadableFile, match="not a folder of this user's alone"):
        cached_hooks(lab.env, Config(), tmp_path / "cache")


# --- files that cannot be used ----------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sub.py", None), ("sub.py", b"x = '\xe9'"), ("sub.py", b"def f(:"),
        (f"sub{SUFFIX}", None), (f"sub{SUFFIX}", b"\x7fELF"), (f"sub{SUFFIX}", b""),
    ],
)  # fmt: skip
def test_a_module_that_no_freezer_can_read_is_not_asked_for(
    lab: Lab, name: str, content: bytes | None
) -> None:
    path = lab.site / "needed" / name
    (lab.site / "needed/sub.py").unlink()
    if content is None:
        os.mkfifo(path)
    else:
        path.write_bytes(content)
    with (lab.site / "needed-1.0.dist-info/RECORD").open("w") as record:
        record.write(f"needed/__init__.py,,\nneeded/{name},,\n")
    build = lab.build()
    told = {i.module for i in build.enter("app._core", lab.core)}
    assert told == {"zoneinfo._common", "app.part", "alone.inner"}
    assert build.modules.keys() == told
    assert [line.split("`")[1] for line in build.faults] == [str(path)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs in the file system")
def test_a_freezer_does_not_follow_what_was_added_to_a_file_that_cannot_be_read(lab: Lab) -> None:
    folder = lab.site / "needed"
    (folder / "sub.py").write_text("import needed.further, needed.good\n")
    (folder / "good.py").touch()
    os.mkfifo(folder / "further.py")
    names = ("__init__.py", "sub.py", "good.py", "further.py")
    record = lab.site / "needed-1.0.dist-info/RECORD"
    record.write_text("".join(f"needed/{name},,\n" for name in names))
    build = lab.build()
    further = folder / "further.py"
    assert not build.shuns("needed.sub", "needed.further", further)  # nothing was added yet
    build.enter("app._core", lab.core)
    assert not build.shuns("app._core", "needed", folder)
    assert not build.shuns("app._core", "needed.sub", folder / "sub.py")
    assert [*build.unreadable_imports("needed.sub")] == ["needed.further"]
    assert build.shuns("needed.sub", "needed.further", further)
    assert not build.shuns("needed.sub", "needed.good", folder / "good.py")
    assert not build.shuns("app.other", "needed.further", further)


def closed(path: Path) -> None:
    path.mkdir()
    (path / "inner.py").touch()
    path.chmod(0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other modes, and few links")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (closed, "permission denied"),
        (lambda path: path.symlink_to("gone"), "no such file or directory"),
        (lambda path: path.symlink_to(path.name), "too many levels of symbolic links"),
    ],
)
def test_a_package_that_native_code_names_and_that_cannot_be_listed_is_named_in_each_build(
    lab: Lab, make: Callable[[Path], None], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lab.site / "alone"
    shutil.rmtree(path)
    shutil.rmtree(lab.site / "alone-1.0.dist-info")
    make(path)
    listdir = os.listdir

    def listed(folder: Path) -> list[str]:
        if folder == path and not path.is_symlink():  # root may list it
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", listed)
    monkeypatch.setenv("XDG_CACHE_HOME", str(lab.site.parent / "cache"))
    for _ in range(2):
        build = Build(Planner(environment(lab.site), Config(), keep=True))
        told = {i.module for i in build.enter("app._core", lab.core)}
        assert told == {"zoneinfo._common", "app.part", "needed.sub"}
        assert build.faults == (f"cannot read `{path}`: {said}; modules in it are not found",)


CODE = marshal.dumps(compile("x = 1", "", "exec"))
MAGIC = importlib.util.MAGIC_NUMBER + bytes(12)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("further.py", b"x = " + b"a+" * 100_000 + b"a\n", "nested too deeply"),
        ("further.py", b"x = a" + b".b" * 100_000 + b"\n", "a name of more than 1000 parts"),
        ("further.py", b"return\n", "'return' outside function"),
        ("further.pyc", MAGIC + CODE[: len(CODE) // 2], "it is not bytecode ("),
        ("further.pyc", MAGIC + b"i\1\0\0\0", "it is not bytecode ("),
        ("further.pyc", b"\r\r\r\n" + bytes(12) + CODE, "it is not bytecode of this Python"),
        ("further.pyc", MAGIC + CODE, ""),
        ("further.py", b"x = [\n" + b"#" * (5 << 20) + b"\n]\n", ""),  # too large to be judged
    ],
)
def test_a_freezer_does_not_follow_what_was_added_to_a_file_without_code(
    lab: Lab, name: str, content: bytes, said: str, listed: bool
) -> None:
    folder = lab.site / "needed"
    (folder / "sub.py").write_text("import needed.further\n")
    (folder / name).write_bytes(content)
    files = ["__init__.py", "sub.py", *([name] if listed else [])]
    record = "".join(f"needed/{file},,\n" for file in files)
    (lab.site / "needed-1.0.dist-info/RECORD").write_text(record)
    build = lab.build()
    build.enter("app._core", lab.core)
    assert not build.shuns("app._core", "needed.sub", folder / "sub.py")
    if listed:  # its distribution was read
        assert [*build.unreadable_imports("needed.sub")] == ["needed.further"] * bool(said)
    assert build.shuns("needed.sub", "needed.further", folder / name) is bool(said)
    assert [said in line for line in build.faults] == [True] * bool(said)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no FIFOs in the file system")
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to(path.name)])
def test_a_companion_that_cannot_be_copied_is_left_out(lab: Lab, make: object) -> None:
    (lab.site / "app/part.py").write_text("open(__file__ + '/../table.json'), 'other.json'")
    with (lab.site / "app-1.0.dist-info/RECORD").open("a") as record:
        record.write("app/table.json,,\napp/other.json,,\n")
    (lab.site / "app/other.json").touch()
    assert callable(make)
    make(lab.site / "app/table.json")
    build = lab.build()
    names = {c.destination.name for c in build.accompany(lab.core, CompanionKind.DATA)}
    assert names == {"other.json"}
    assert [line.split("`")[1] for line in build.faults] == [str(lab.site / "app/table.json")]
