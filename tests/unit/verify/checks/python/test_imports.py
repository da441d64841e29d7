"""What native code surely imports, against bundles that hold all of it, a part, or nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from compiling import Compile

from rustext.environment.environment import stdlib_environment
from rustext.model.crate_rule import CrateRule
from rustext.model.findings import Severity
from rustext.model.native_file import Crate, Provenance
from rustext.model.plan import BuildPlan, ImplicitImport, Verdict
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.verify import read_subject, verify

SOURCE = """
void *PyImport_ImportModule(const char *name);
void *PyCapsule_Import(const char *name, int block);
void *PyInit_core(void) { return 0; }
void *later(void) { return PyImport_ImportModule("own_rules.basic"); }
void *capsule(void) { return PyCapsule_Import("own_rules.capsules._API", 0); }
"""
MORE = 'void *also(void) { return PyImport_ImportModule("own_rules.extra"); }\n'
PROGRAM = "int main(void) { return 0; }"


def judge(
    root: Path, *rules: CrateRule, plan: BuildPlan | None = None, crate: str = "our-core"
) -> dict[str, Severity]:
    bundle = read_bundle(root)
    crates = (Crate(name=crate, version="1.2.0", source="sbom"),)
    files = tuple(
        (path, replace(file, provenance=Provenance(rust=path.name == "core.so", crates=crates)))
        for path, file in bundle.files
    )
    subject = read_subject(
        replace(bundle, files=files), stdlib=stdlib_environment(), crate_rules=rules, plan=plan
    )
    report = verify(subject)
    return {f.subject: f.severity for f in report.findings if f.id == "missing-import"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A bundle with no more than its program and what every Python starts with."""
    folder = tmp_path / "app"
    (folder / "encodings").mkdir(parents=True)
    (folder / "encodings" / "__init__.py").touch()
    return folder


def put(root: Path, gcc: Compile, *modules: str, source: str = SOURCE) -> None:
    shutil.copy(gcc("app", PROGRAM), root / "app")
    shutil.copy(gcc("core.so", source, "-shared", "-fPIC", "-O2"), root / "core.so")
    for module in modules:
        path = root / f"{module.replace('.', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.touch()


def test_a_submodule_that_is_missing_from_its_package_is_an_error(root: Path, gcc: Compile) -> None:
    put(root, gcc, "own_rules.__init__", "own_rules.capsules")
    assert judge(root) == {"own_rules.basic": Severity.ERROR}


def test_a_package_of_which_nothing_is_there_is_a_warning(root: Path, gcc: Compile) -> None:
    put(root, gcc)
    found = judge(root)
    assert found.pop("own_rules.basic") is Severity.WARNING
    assert set(found) <= {"own_rules.capsules._API"}


def test_a_package_that_was_not_installed_is_a_note_where_there_is_a_plan(
    root: Path, gcc: Compile
) -> None:
    """A plan names all that is installed of what native code imports; it left this one out."""
    put(root, gcc)
    left = ImplicitImport(module="own_rules", verdict=Verdict.REPORT, reason="", evidence=())
    plan = BuildPlan(
        freezer=None, python="3.11", extensions=(), modules=(), left_out=(), companions=(),
        warnings=(),
    )  # fmt: skip
    assert judge(root, plan=plan)["own_rules.basic"] is Severity.NOTE
    known = replace(plan, left_out=(left,))
    assert judge(root, plan=known)["own_rules.basic"] is Severity.WARNING
    put(root, gcc, "own_rules.__init__", "own_rules.capsules")
    assert judge(root, plan=plan) == {"own_rules.basic": Severity.ERROR}


@pytest.mark.parametrize(
    ("requires", "severity"),
    [
        ("", Severity.NOTE),
        ('Requires-Dist: own-rules>=1; extra == "rules"\n', Severity.NOTE),
        ("Requires-Dist: encodings\n", Severity.NOTE),
        ("Requires-Dist: Own.Rules>=1\n", Severity.WARNING),
        ("Requires-Dist: rules-of-ours\n", Severity.WARNING),  # which may bring `own_rules`
    ],
)
def test_a_crates_package_that_the_files_distribution_does_not_require_is_a_note(
    requires: str, severity: Severity, root: Path, gcc: Compile
) -> None:
    put(root, gcc)
    assert judge(root)["own_rules.basic"] is Severity.WARNING
    info = root / "core-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: core\nVersion: 1.0\n{requires}")
    (info / "RECORD").write_text("core.so,,\n")
    assert judge(root, own_rule("own_rules.late"))["own_rules.basic"] is severity
    assert judge(root)["own_rules.basic"] is Severity.WARNING  # imported by its own code


def test_a_package_that_the_freezer_followed_is_a_warning(root: Path, gcc: Compile) -> None:
    put(root, gcc, "own_rules.__init__", "own_rules.capsules", "own_rules.extra",
        source=SOURCE + MORE)  # fmt: skip
    assert judge(root) == {"own_rules.basic": Severity.WARNING}


def test_a_module_that_is_there_is_none_that_is_missing(root: Path, gcc: Compile) -> None:
    put(root, gcc, "own_rules.__init__", "own_rules.basic", "own_rules.capsules")
    assert judge(root) == {}


def test_a_native_package_may_make_its_submodules_itself(root: Path, gcc: Compile) -> None:
    put(root, gcc)
    native = "void *PyInit_own_rules(void) { return 0; }"
    shutil.copy(gcc("own_rules.so", native, "-shared", "-fPIC"), root / "own_rules.so")
    assert judge(root) == {}


@pytest.mark.parametrize(
    ("name", "found"), [("decimal", {"decimal": Severity.ERROR}), ("decimals", {})]
)
def test_what_a_binding_looks_up_counts_where_the_file_holds_its_name(
    root: Path, gcc: Compile, name: str, found: dict[str, Severity]
) -> None:
    texts = (name, "Decimal")
    rows = ", ".join(f'{{"{text}", {len(text)}}}' for text in texts)
    source = f"""
        struct {{const char *at; unsigned long size;}} names[] = {{{rows}}};
        void *PyImport_Import(void *name);
        void *PyInit_core(void) {{ return names; }}
        void *later(void *name) {{ return PyImport_Import(name); }}
    """
    put(root, gcc, source=source)
    assert judge(root, crate="pyo3") == found


def test_a_module_made_by_cffi_needs_its_backend(root: Path, gcc: Compile) -> None:
    made = 'const char *mark = "_cffi_backend"; void *PyInit_made(void) { return 0; }'
    shutil.copy(gcc("app", PROGRAM), root / "app")
    shutil.copy(gcc("made.so", made, "-shared", "-fPIC"), root / "made.so")
    assert judge(root) == {"_cffi_backend": Severity.WARNING}  # no program starts with it
    (root / "_cffi_backend.py").touch()
    assert judge(root) == {}


def own_rule(*imports: str, versions: str = "", strings: tuple[str, ...] = ()) -> CrateRule:
    return CrateRule(
        crate="our-core", imports=imports, versions=versions, strings=strings, why="", source=""
    )


def test_what_rules_of_the_project_name_has_to_be_there(root: Path, gcc: Compile) -> None:
    names = ("own_rules.__init__", "own_rules.basic", "own_rules.capsules")
    put(root, gcc, *names)
    assert judge(root) == {}
    late, more = own_rule("own_rules.late", "own_rules.basic"), own_rule("more.late")
    assert judge(root, late, more) == dict.fromkeys(("own_rules.late", "more.late"), Severity.ERROR)
    put(root, gcc, *names, "own_rules.late", "more.late")
    assert judge(root, late, more) == {}


@pytest.mark.parametrize(
    "rule",
    [own_rule("more.late", versions=">=2"), own_rule("more.late", strings=("nowhere in it",))],
    ids=["version", "string"],
)
def test_a_rule_of_the_project_fits_its_files_alone(
    rule: CrateRule, root: Path, gcc: Compile
) -> None:
    put(root, gcc, "own_rules.__init__", "own_rules.basic", "own_rules.capsules")
    assert judge(root, rule) == {}
