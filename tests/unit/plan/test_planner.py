"""What the project's own configuration and records add to the plan of an extension."""

from __future__ import annotations

import importlib.machinery
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import Compile
from environments import environment, install

from rustext.config import Config, Scope, find_config
from rustext.discovery import native_files as discover
from rustext.errors import UnreadableFile
from rustext.freezing.pyinstaller.hook_files import iter_hook_targets
from rustext.model.evidence import EvidenceKind
from rustext.model.plan import ImplicitImport, Verdict
from rustext.plan.planner import Planner
from rustext.tracing.trace_file import Importer, Language, Trace, format_trace

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
RUST = '"/rustc/0123456789012345678901234567890123456789/library/core/src/lib.rs"'


@pytest.fixture
def site(gcc: Compile, tmp_path: Path) -> Path:
    """A folder with `app.rusty`, which bears a mark of rustc's, and `app.plain`, which does not."""
    plain = gcc("plain.so", "void *PyInit_plain(void) { return 0; }", "-shared", "-fPIC")
    source = f"const char mark[] = {RUST}; void *PyInit_rusty(void) {{ return 0; }}"
    rusty = gcc("rusty.so", source, "-shared", "-fPIC")
    files = {f"app/plain{SUFFIX}": plain, f"app/rusty{SUFFIX}": rusty, "app/__init__.py": ""}
    install(tmp_path / "site-packages", "app", files=files)
    install(tmp_path / "site-packages", "foreign", files={"foreign.py": ""})
    return tmp_path / "site-packages"


def planned(site: Path, config: Config, name: str = "rusty") -> dict[str, ImplicitImport] | None:
    plan = Planner(environment(site), config).plan_extension(site / f"app/{name}{SUFFIX}")
    return None if plan is None else {i.module: i for i in plan.imports}


def trace_of(name: str, *imports: str) -> Trace:
    return Trace(importers=(Importer(name=name, language=Language.RUST, imports=imports),))


def test_other_native_code_is_planned_for_on_request_alone(site: Path) -> None:
    assert planned(site, Config(), "plain") is None
    assert planned(site, Config(scope=Scope.NATIVE), "plain") == {}
    assert planned(site, Config()) == planned(site, Config(scope=Scope.NATIVE)) == {}


def test_a_record_speaks_of_the_extension_that_it_names(site: Path) -> None:
    config = Config(trace=trace_of("app.rusty", "foreign", "gone", "wave"), trace_file="t.toml")
    found = planned(site, config)
    assert found is not None
    assert set(found) == {"foreign", "wave"}  # only what can be imported here
    for item in found.values():
        assert item.verdict is Verdict.INCLUDE
        assert [(e.kind, e.where) for e in item.evidence] == [(EvidenceKind.TRACED, "t.toml")]
    assert planned(site, Config(trace=trace_of("app.other", "wave"))) == {}


def test_an_extension_has_the_name_that_it_is_imported_by(site: Path) -> None:
    """Folders of `sys.path` may lie in others: https://docs.python.org/3/library/site.html."""
    rusty = site / f"app/rusty{SUFFIX}"
    planner = Planner(environment(site, site / "app"), Config(trace=trace_of("rusty", "wave")))
    plan = planner.plan_extension(rusty)
    assert plan is not None
    assert plan.file.module == "rusty"
    assert [i.module for i in plan.imports] == ["wave"]


def test_another_file_that_cannot_be_read_is_no_reason_not_to_read_one(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = discover.open_binary

    def open_binary(path: Path) -> object:
        if path.name.startswith("plain"):
            raise UnreadableFile(f"{path} cannot be read")
        return read(path)

    monkeypatch.setattr(discover, "open_binary", open_binary)
    planner = Planner(environment(site), Config())
    assert planner.catalogue.read_file(site / f"app/rusty{SUFFIX}").module == "app.rusty"
    with pytest.raises(UnreadableFile):
        planner.catalogue.read_file(site / f"app/plain{SUFFIX}")


def test_an_import_of_nobody_knows_whom_counts_for_every_extension(site: Path) -> None:
    found = planned(site, Config(trace=trace_of("", "wave"), trace_file="t.toml"))
    assert found is not None
    assert found["wave"].verdict is Verdict.INCLUDE
    assert "could not tell" in found["wave"].evidence[0].detail


def test_the_record_is_found_beside_the_configuration(site: Path, tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "t.toml").write_text(format_trace(trace_of("app.rusty", "wave")))
    (tmp_path / "pyproject.toml").write_text('[tool.rustext]\ntrace = "records/t.toml"\n')
    found = planned(site, find_config(site))
    assert found is not None
    assert found["wave"].evidence[0].where == "records/t.toml"


def test_a_planner_for_another_environment_keeps_the_configuration(
    site: Path, tmp_path: Path
) -> None:
    planner = Planner(environment(tmp_path), Config(scope=Scope.NATIVE))
    other = planner.for_environment(environment(site))
    assert other.config is planner.config
    assert other.plan_extension(site / f"app/plain{SUFFIX}") is not None


def test_run_path_of_the_machine_that_built_a_file_is_warned_of(
    gcc: Compile, tmp_path: Path
) -> None:
    flags = ("-shared", "-fPIC", "-Wl,-rpath,/nix/store/abc/lib:$ORIGIN/../app.libs")
    source = f"const char mark[] = {RUST}; void *PyInit_rusty(void) {{ return 0; }}"
    built = gcc("run_path.so", source, *flags)
    site = tmp_path / "site-packages"
    install(site, "app", files={f"app/rusty{SUFFIX}": built, "app/__init__.py": ""})
    plan = Planner(environment(site), Config()).plan_extension(site / f"app/rusty{SUFFIX}")
    assert plan is not None
    warned = [w for w in plan.warnings if "run path" in w]
    assert len(warned) == 1
    assert "/nix/store/abc/lib" in warned[0]


def test_rust_program_on_path_makes_its_distribution_a_rust_distribution(
    tmp_path: Path, gcc: Compile
) -> None:
    rusty = gcc("tool", f"const char mark[] = {RUST}; int main(void) {{ return mark[0] == 0; }}")
    plain = gcc("plain", "int main(void) { return 0; }")
    site = tmp_path / "lib" / "site-packages"
    for name, program in (("rusty-tool", rusty), ("plain-tool", plain)):
        top = name.replace("-", "_")
        files = {f"{top}/__init__.py": 'TABLE = "table.bin"', f"{top}/table.bin": "data"}
        install(site, name, files={**files, f"../../bin/{name}": program})
    planner = Planner(environment(site), Config())
    companions = {c.path.name for c in planner.companions_for(site / "rusty_tool/__init__.py")}
    assert companions == {"METADATA", "table.bin"}
    (table,) = planner.companions_for(site / "plain_tool/__init__.py")
    assert table.reason == "the rest of its data is small"
    assert [t.module for t in iter_hook_targets(planner)] == ["rusty_tool"]


def test_a_macos_library_of_another_distribution_is_named_with_its_owner(
    zig: Callable[[str], Compile], tmp_path: Path
) -> None:
    build = zig("aarch64-macos")
    own = "int own(void) { return 1; }"
    library = build("libown.dylib", own, "-shared", "-Wl,-install_name,@rpath/libown.dylib")
    source = (
        f"const char mark[] = {RUST}; int own(void); int PyInit_rusty(void) {{ return own(); }}"
    )
    module = build("rusty.so", source, "-shared", str(library))
    site = tmp_path / "site-packages"
    install(site, "app", files={"app/rusty.abi3.so": module, "app/__init__.py": ""})
    install(site, "core", files={"core/lib/libown.dylib": library, "core/__init__.py": ""})
    plan = Planner(environment(site), Config()).plan_extension(site / "app/rusty.abi3.so")
    assert plan is not None
    wanted = "needs `@rpath/libown.dylib` of core, which has to be loaded first"
    assert [w for w in plan.warnings if "libown" in w] == [f"app/rusty.abi3.so {wanted}"]


def test_a_distribution_may_have_its_modules_in_the_package_of_another(
    tmp_path: Path, gcc: Compile
) -> None:
    flags = ("-shared", "-fPIC")
    source = f"const char mark[] = {RUST}; void *PyInit_rusty(void) {{ return 0; }}"
    rusty = gcc("in_package.so", source, *flags)
    site = tmp_path / "site-packages"
    install(site, "host", files={"host/__init__.py": "", f"host/rusty{SUFFIX}": rusty})
    install(site, "host-mail", files={"host/mail/__init__.py": "", "host/mail/smtp.py": ""})
    planner = Planner(environment(site), Config())
    targets = [t.module for t in iter_hook_targets(planner, neighbours=True)]
    assert targets == ["host.rusty", "host", "host.mail"]
