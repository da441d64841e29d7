"""Each branch of the verdicts, in environments made of real folders."""

from __future__ import annotations

import importlib.machinery
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from compiling import Compile
from environments import Files, environment, install, write_files
from natives import mapped, native_file, string
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from rustext.config import Config, Optional
from rustext.data import read_data
from rustext.environment.environment import Environment
from rustext.imports.clues import Clues, can_import, read_clues
from rustext.imports.crate_rules import iter_crate_rules, known_rules
from rustext.imports.verdicts import doubt_of, find_imports
from rustext.model.evidence import EvidenceKind, StringRef
from rustext.model.native_file import Crate, NativeFile, Provenance
from rustext.model.plan import ImplicitImport, Verdict
from rustext.plan.planner import Planner

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
CALL, EXACT, C, LOOSE = (
    EvidenceKind.IMPORT_CALL,
    EvidenceKind.EXACT_STRING,
    EvidenceKind.C_STRING,
    EvidenceKind.LOOSE_STRING,
)


@dataclass(frozen=True, kw_only=True)
class Lab:
    """An extension `app._core` of the distribution `app`, which requires `needed`."""

    env: Environment
    path: Path
    file: NativeFile

    def judge(
        self, *strings: StringRef, optional: Optional = Optional.INSTALLED
    ) -> dict[str, ImplicitImport]:
        rules = read_clues(self.path, self.file, lambda *_: ()).rules
        clues = Clues(strings=strings, rules=rules)
        found = find_imports(self.file, clues, self.env, optional=optional)
        return {i.module: i for i in found}

    def verdict(
        self, text: str, kind: EvidenceKind = EXACT, optional: Optional = Optional.INSTALLED
    ) -> tuple[Verdict, str]:
        found = self.judge(string(text, kind), optional=optional)[text]
        return found.verdict, found.reason


@pytest.fixture
def lab(tmp_path: Path, gcc: Compile) -> Lab:
    core = gcc("core.so", "void *PyInit__core(void) { return 0; }", "-shared", "-fPIC")
    site = tmp_path / "site-packages"
    files: Files = {"app/__init__.py": "", "app/part.py": "", f"app/_core{SUFFIX}": core}
    install(site, "app", files=files, requires=["needed", 'extra-dep; extra == "x"'])
    install(site, "needed", files={"needed/__init__.py": "", "needed/sub.py": ""},
            requires=["deeper"])  # fmt: skip
    install(site, "deeper", files={"deeper.py": ""})
    install(site, "extra-dep", files={"extra_dep/__init__.py": "", "extra_dep/sub.py": ""})
    install(site, "wanted-by-other", files={"wanted/__init__.py": "", "wanted/sub.py": ""})
    install(site, "other", requires=["wanted-by-other"])
    install(site, "unheard-of", files={"unheard/__init__.py": ""})
    write_files(site, {"loose/__init__.py": "", "loose/part.py": "", "words.py": ""})
    path = site / f"app/_core{SUFFIX}"
    return Lab(env=environment(site), path=path, file=native_file(path, site))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("json", CALL), ("sys", CALL), ("json.decoder", EXACT), ("concurrent.futures", C)],
)
def test_the_standard_library_is_included(lab: Lab, name: str, kind: EvidenceKind) -> None:
    assert lab.verdict(name, kind) == (Verdict.INCLUDE, "standard library")


@pytest.mark.parametrize("kind", [EXACT, C])
def test_a_plain_word_is_no_module_of_the_standard_library(lab: Lab, kind: EvidenceKind) -> None:
    names = set(sys.stdlib_module_names) - {"antigravity", "this"}
    words = {name for name in names if lab.env.find_module(name) is not None}
    found = lab.judge(*(string(word, kind) for word in sorted(words)))
    assert found.keys() == words
    assert {"profile", "code", "token", "select", "trace", "json"} <= words
    assert {i.verdict for i in found.values()} == {Verdict.REPORT}


def test_a_plain_word_counts_where_no_code_can_be_followed(lab: Lab) -> None:
    """Code of other machines is not read, so that no call can show what it imports."""
    (image,) = lab.file.binary.images
    binary = replace(lab.file.binary, images=(replace(image, architecture="riscv64"),))
    other = replace(lab, file=replace(lab.file, binary=binary))
    assert other.verdict("json", EXACT) == (Verdict.INCLUDE, "standard library")
    assert other.verdict("code", EXACT)[0] is Verdict.REPORT


WORDS = """
use std::hint::black_box;
static TABLE: [&str; 5] = ["profile", "code", "token", "calendar", "statistics"];
#[no_mangle] pub extern "C" fn PyInit_words() -> *mut u8 {
    extern "C" { fn PyImport_ImportModule(name: *const u8) -> *mut u8; }
    for word in TABLE.iter() { black_box(word); }
    for word in [c"select", c"trace", c"test"] { black_box(word); }
    match black_box("queue") { "cmd" | "signal" => black_box(1), _ => black_box(2) };
    unsafe { PyImport_ImportModule(c"colorsys".as_ptr().cast()) }
}
"""


LOADED = """
import contextlib, sys
before = set(sys.modules)
with contextlib.suppress(SystemError):  # what PyInit returns is another module
    import words
print(*set(sys.modules) - before)
"""


def test_words_in_compiled_code_are_told_from_what_it_imports(tmp_path: Path) -> None:
    """The judge is the interpreter that loads the module."""
    source, module = tmp_path / "words.rs", tmp_path / f"words{SUFFIX}"
    source.write_text(WORDS)
    command = ["rustc", "--edition=2021", "--crate-type=cdylib", "-O", "-Awarnings"]
    subprocess.run([*command, str(source), "-o", str(module)], check=True, timeout=120)
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True)
    plan = Planner(environment(tmp_path), Config()).plan_extension(module)
    assert plan is not None
    found = {i.module for i in plan.modules(Verdict.INCLUDE)}
    assert found == set(done.stdout.split()) == {"colorsys"}
    reported = {i.module for i in plan.modules(Verdict.REPORT)}
    assert {"profile", "code", "token", "calendar", "statistics"} <= reported


@pytest.mark.parametrize("name", ["ensurepip", "test.support", "pydoc_data", "venv"])
def test_large_parts_of_the_standard_library_are_not_taken_on_a_string(lab: Lab, name: str) -> None:
    assert lab.env.find_module(name) is not None
    assert lab.verdict(name)[0] is Verdict.REPORT
    assert lab.verdict(name, EvidenceKind.TRACED) == (Verdict.INCLUDE, "seen to be imported")


def test_a_name_in_running_text_is_reported_whatever_it_names(lab: Lab) -> None:
    expected = (Verdict.REPORT, "the name is in running text only")
    for name in ("json", "app.part", "needed", "wanted.sub", "loose.part"):
        assert lab.verdict(name, LOOSE) == expected


@pytest.mark.parametrize("kind", [EvidenceKind.TRACED, EvidenceKind.PROBED])
def test_what_was_seen_is_included_whoever_declares_it(lab: Lab, kind: EvidenceKind) -> None:
    for name in ("wanted", "loose", "extra_dep.sub", "json"):
        assert lab.verdict(name, kind, Optional.NEVER) == (Verdict.INCLUDE, "seen to be imported")


def test_the_extensions_own_distribution_is_included(lab: Lab) -> None:
    assert lab.verdict("app.part") == (Verdict.INCLUDE, "the extension's own distribution")
    assert lab.verdict("app", C) == (Verdict.INCLUDE, "the extension's own distribution")


def test_what_the_distribution_requires_is_included_at_any_distance(lab: Lab) -> None:
    for name in ("needed", "needed.sub", "deeper"):
        assert lab.verdict(name) == (Verdict.INCLUDE, "required by app")


def test_an_optional_distribution_that_nobody_else_requires_is_included(lab: Lab) -> None:
    expected = (Verdict.INCLUDE, "extra-dep is installed and nothing else requires it")
    assert lab.verdict("extra_dep.sub") == expected
    assert lab.verdict("extra_dep", CALL) == expected
    reason = "unheard-of is installed and nothing else requires it"
    assert lab.verdict("unheard", CALL) == (Verdict.INCLUDE, reason)


def test_a_plain_word_is_a_module_where_an_extra_of_the_distribution_names_it(lab: Lab) -> None:
    """As safetensors, which asks for numpy by a word out of a table."""
    reason = "extra-dep is installed and nothing else requires it"
    assert lab.verdict("extra_dep", EXACT) == (Verdict.INCLUDE, reason)
    assert lab.verdict("extra_dep", LOOSE)[0] is Verdict.REPORT
    assert lab.verdict("extra_dep", EXACT, Optional.PRESENT)[0] is Verdict.IF_PRESENT


def test_a_plain_word_completes_an_optional_distribution_and_brings_none(lab: Lab) -> None:
    for kind in (EXACT, C):
        verdict, reason = lab.verdict("unheard", kind)
        assert verdict is Verdict.IF_PRESENT
        assert reason.startswith("unheard-of is not required, and the name may be an ordinary word")
        assert lab.verdict("unheard", kind, Optional.NEVER)[0] is Verdict.REPORT
    assert lab.verdict("words")[0] is Verdict.REPORT
    assert "in no distribution" in lab.verdict("words")[1]


def test_words_of_every_rust_extension_prove_nothing_unless_a_call_imports_them(lab: Lab) -> None:
    expected = (Verdict.REPORT, "a word that is in every Rust extension")
    for word in read_data("stdlib")["vocabulary"]:
        for kind in (EXACT, C):
            assert lab.verdict(word, kind) == expected
        assert lab.verdict(word, CALL) == (Verdict.INCLUDE, "standard library")


def test_modules_that_python_has_removed_are_not_taken_for_their_short_names(lab: Lab) -> None:
    """`nis` is an HTML entity; its module needs a library that no freezer bundles."""
    removed = read_data("stdlib")["removed"]
    assert all(doubt_of(name) is not None for name in removed)
    for name in set(removed) & set(sys.stdlib_module_names) - {"msilib"}:  # what is left of them
        for kind in (EXACT, C):
            assert lab.verdict(name, kind)[0] is Verdict.REPORT
        assert lab.verdict(name, CALL)[0] is Verdict.INCLUDE


def test_an_optional_distribution_that_another_requires_is_completed_only(lab: Lab) -> None:
    verdict, reason = lab.verdict("wanted.sub")
    assert verdict is Verdict.IF_PRESENT
    assert reason == "wanted-by-other is not required; taken where the program has it already"


@pytest.mark.parametrize(
    ("optional", "expected"),
    [
        (Optional.INSTALLED, Verdict.INCLUDE),
        (Optional.PRESENT, Verdict.IF_PRESENT),
        (Optional.NEVER, Verdict.REPORT),
    ],
)
def test_the_option_overrides_what_is_optional_and_nothing_else(
    lab: Lab, optional: Optional, expected: Verdict
) -> None:
    assert lab.verdict("extra_dep.sub", optional=optional)[0] is expected
    for name in ("json.decoder", "app.part", "needed.sub"):
        assert lab.verdict(name, optional=optional)[0] is Verdict.INCLUDE


def test_modules_beside_the_program_are_included(lab: Lab) -> None:
    assert lab.verdict("loose.part") == (
        Verdict.INCLUDE,
        "beside the program, in no distribution",
    )


def test_a_file_of_no_distribution_owns_its_package(lab: Lab) -> None:
    stray = replace(lab.file, distribution=None, module="loose._core")
    own = replace(lab, file=stray)
    assert own.verdict("loose") == (Verdict.INCLUDE, "the extension's own package")
    # Of another package of nobody a plain word still proves nothing.
    assert own.verdict("words")[0] is Verdict.REPORT
    nameless = replace(lab, file=replace(stray, module=None))
    assert nameless.verdict("loose")[0] is Verdict.REPORT


def test_only_what_can_be_imported_counts_and_not_the_extension_itself(lab: Lab) -> None:
    texts = ("no_such_module", "app._core", "app.nothing", "json.nothing", "json")
    assert list(lab.judge(*map(string, texts))) == ["json"]


def test_the_name_of_a_capsule_stands_for_its_module(lab: Lab) -> None:
    """`PyCapsule_Import("datetime.datetime_CAPI")` imports `datetime`."""
    found = lab.judge(string("datetime.datetime_CAPI", CALL))
    assert list(found) == ["datetime"]
    assert lab.judge(string("datetime.datetime_CAPI", EXACT)) == {}
    assert lab.judge(string("nothing.attribute", CALL)) == {}


def test_a_capsule_may_stand_in_what_is_no_module_any_more(lab: Lab) -> None:
    """`PyCapsule_Import("polars.polars._allocator")` imports `polars`; the rest are attributes."""
    assert list(lab.judge(string("app.gone._allocator", CALL))) == ["app"]
    assert lab.judge(string("app.gone._allocator", EXACT)) == {}
    assert lab.judge(string("app.gone.further.away", CALL)) == {}


@pytest.mark.parametrize("function", ["PyImport_Import", "PyCapsule_Import"])
def test_a_file_that_names_an_importing_function_can_import(
    gcc: Compile, function: str, tmp_path: Path
) -> None:
    for text, expected in ((function, True), ("PyErr_Print", False)):
        path = gcc("lib.so", f'const char name[] = "{text}";', "-shared", "-fPIC")
        with mapped(path) as data:
            assert can_import(data) is expected


def test_all_evidence_is_kept_strongest_first(lab: Lab) -> None:
    refs = [string("json", kind) for kind in (LOOSE, C, CALL, EXACT)]
    (found,) = lab.judge(*refs, *refs).values()
    assert [e.kind for e in found.evidence] == [CALL, EXACT, C, LOOSE]
    assert all(re.fullmatch(rf"app/_core{SUFFIX} at 0x[0-9a-f]+", e.where) for e in found.evidence)


def test_the_answer_is_sorted_whatever_the_order_of_strings(lab: Lab) -> None:
    refs = [string(n) for n in ("json", "app.part", "zoneinfo", "deeper", "collections.abc")]
    forward, backward = lab.judge(*refs), lab.judge(*reversed(refs))
    assert list(forward.values()) == list(backward.values())
    assert list(forward) == sorted(forward)


# --- crate rules ------------------------------------------------------------------------------


Built = Callable[[Iterable[str], Crate], tuple[Path, NativeFile]]


@pytest.fixture
def built(gcc: Compile) -> Built:
    """`built(marks, crate)`: a file that holds these strings and comes from this crate."""

    def build(marks: Iterable[str], crate: Crate) -> tuple[Path, NativeFile]:
        text = "".join(f'const char *mark_{i} = "{m}";\n' for i, m in enumerate((*marks, IMPORTS)))
        path = gcc("core.so", text + "void *PyInit_core(void) { return 0; }", "-shared", "-fPIC")
        return path, native_file(path, path.parent, crates=[crate])

    return build


def crate(name: str, version: str | None) -> Crate:
    return Crate(name=name, version=version, source="sbom")


def rules() -> list[dict[str, object]]:
    return list(read_data("crates")["rule"])


@pytest.mark.parametrize("rule", rules(), ids=lambda r: f"{r['crate']}{r['versions']}-{r['when']}")
def test_a_rule_is_complete_and_its_requirements_can_be_read(rule: dict[str, str]) -> None:
    expected = {"crate", "versions", "strings", "imports", "when", "why", "source"}
    assert set(rule) - {"named"} == expected
    SpecifierSet(rule["versions"])
    assert not rule["when"] or Requirement(rule["when"])
    assert rule["imports"]
    assert rule["strings"]  # a crate in the tree alone proves nothing
    assert rule["source"].startswith("https://")
    assert rule["why"]


IMPORTS = "PyImport_ImportModule"  # a file that never calls it imports nothing
NUMPY_MARKS = ("numpy._core", "NumpyVersion")


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ("2.1.0", {"numpy", "numpy.lib", "numpy._core.multiarray"}),
        ("2.0.0rc1", set()),  # neither `>=2` nor `<2`, as `packaging` counts
        ("1.26.4", {"numpy", "numpy.lib", "numpy.core.multiarray"}),
        ("unknown", set()),
        (None, set()),
    ],
)
def test_a_rule_depends_on_what_is_installed(
    installed: str | None, expected: set[str], built: Built, tmp_path: Path
) -> None:
    path, file = built(NUMPY_MARKS, crate("numpy", "0.25.0"))
    site = tmp_path / "site"
    names = ("__init__", "lib/__init__", "_core/__init__", "_core/multiarray", "core/__init__",
             "core/multiarray")  # fmt: skip
    if installed is not None:
        install(site, "numpy", installed, files={f"numpy/{n}.py": "" for n in names})
    found = find_imports(file, read_clues(path, file, lambda *_: ()), environment(site))
    assert {i.module for i in found} == expected
    assert all(i.evidence[0].kind is EvidenceKind.CRATE_RULE for i in found)
    assert all("crate numpy 0.25.0 (sbom)" in i.evidence[0].detail for i in found)


def test_a_rule_says_nothing_of_a_file_that_cannot_import(gcc: Compile, tmp_path: Path) -> None:
    text = "".join(f'const char *mark_{i} = "{m}";' for i, m in enumerate(NUMPY_MARKS))
    path = gcc("lib.so", text, "-shared", "-fPIC")
    file = native_file(path, path.parent, crates=[crate("numpy", "0.25.0")])
    install(tmp_path, "numpy", "2.1.0", files={"numpy/__init__.py": ""})
    clues = read_clues(path, file, lambda *_: ())
    assert find_imports(file, clues, environment(tmp_path)) == ()


def applied(file: NativeFile, path: Path) -> list[str]:
    with mapped(path) as data:
        return [rule.crate for rule, _ in iter_crate_rules(file, data, known_rules())]


def test_a_crate_whose_code_was_not_linked_imports_nothing(built: Built) -> None:
    path, file = built(("numpy._core",), crate("numpy", "0.25.0"))
    assert applied(file, path) == []


def test_code_without_its_crate_proves_nothing(built: Built) -> None:
    path, file = built(NUMPY_MARKS, crate("ndarray", "0.16.0"))
    assert applied(file, path) == []


@pytest.mark.parametrize(
    ("version", "count"),
    [
        ("0.25.0", 2),
        ("0.22.0", 2),
        ("0.21.9", 0),
        (None, 2),
        ("0.25.0-alpha.1", 2),
        ("git-main", 2),
    ],
)
def test_a_rule_holds_for_its_versions_and_where_none_is_known(
    version: str | None, count: int, built: Built
) -> None:
    path, file = built(NUMPY_MARKS, crate("numpy", version))
    assert applied(file, path) == ["numpy"] * count


def test_a_file_without_crates_follows_no_rule(built: Built) -> None:
    path, file = built(NUMPY_MARKS, crate("numpy", "0.25.0"))
    assert applied(replace(file, provenance=Provenance(rust=True)), path) == []
