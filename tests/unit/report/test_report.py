"""Text and JSON: stable, whole, and readable without colour."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from compiling import Compile
from environments import write_files

from rustext.cli.main import run
from rustext.formats.binary import read_binary
from rustext.model.evidence import Evidence, EvidenceKind
from rustext.model.findings import Finding, Severity
from rustext.model.libraries import FoundBy, LibraryGraph, Missing, Resolved, Searched
from rustext.model.native_file import Binding, Crate, NativeFile, Provenance
from rustext.model.plan import Companion, CompanionKind, ExtensionPlan, ImplicitImport, Verdict
from rustext.model.verification import IsolatedRun, VerifyReport
from rustext.report.console import Console
from rustext.report.documents import extension_json, plan_json, to_json, verify_json
from rustext.report.escape import one_line
from rustext.report.extension_text import print_plan
from rustext.report.library_tree import print_libraries
from rustext.report.output import ReportFormat, render
from rustext.report.verify_text import print_findings, print_verify

pytestmark = pytest.mark.usefixtures("lean_path")

# The keys that the issues list, in their order; later ones may follow.
SCAN_KEYS = ["distribution", "version", "file", "module", "rust", "binding", "pyo3", "rustc",
             "crates", "init", "format", "architectures", "soname", "install_names", "needed",
             "rpath", "glibc_floor", "suffix", "importable_by", "naming",
             "explanation"]  # fmt: skip
INSPECT_KEYS = ["extension", "libraries", "implicit_imports", "companions"]
VERIFY_KEYS = ["bundle", "freezer", "platform", "target", "ok", "findings", "libraries",
               "extensions", "modules"]  # fmt: skip


def text(write: Callable[[Console], None], *, styled: bool = False) -> str:
    out = io.StringIO()
    write(Console(stream=out, styled=styled))
    return out.getvalue()


@pytest.fixture
def file(elf_module: Path) -> NativeFile:
    return NativeFile(
        path=PurePosixPath("pkg/demo.so"),
        distribution="pkg",
        version="1.0",
        binary=read_binary(elf_module),
        provenance=Provenance(
            rust=True,
            marks=("rustc comment",),
            binding=Binding.PYO3,
            pyo3="0.25.0",
            rustc="1.80.0",
            crates=(Crate(name="pyo3", version="0.25.0", source="sbom"),
                    Crate(name="odd", version=None, source="panic-path")),
        ),
        module="pkg.demo",
        suffix=".so",
        naming=("several-inits",),
        explanation="PyInit_demo and the suffix `.so` make it importable",
    )  # fmt: skip


@pytest.fixture
def plan(file: NativeFile, elf_module: Path) -> ExtensionPlan:
    found = Path("/lib/libc.so.6")
    edges = (
        Resolved(soname="libc.so.6", path=found, how=FoundBy.CACHE, needed_by=elf_module),
        Resolved(soname="libm.so.6", path=None, how=FoundBy.SYSTEM, needed_by=found),
        Missing(
            soname="libgone.so.1",
            searched=(Searched(how=FoundBy.RUNPATH, path="/a/libgone.so.1"),),
            needed_by=elf_module,
        ),
    )
    evidence = Evidence(
        kind=EvidenceKind.EXACT_STRING, where="pkg/demo.so at 0x10", detail="lea at 0x20"
    )
    return ExtensionPlan(
        file=file,
        path=elf_module,
        imports=(
            ImplicitImport(module="json", verdict=Verdict.INCLUDE, reason="standard library",
                           evidence=(evidence,)),
            ImplicitImport(module="x[bold]", verdict=Verdict.REPORT, reason="why not",
                           evidence=()),
        ),
        libraries=LibraryGraph(root=elf_module, edges=edges),
        companions=(
            Companion(path=Path("/x"), destination=PurePosixPath("pkg/data.bin"),
                      kind=CompanionKind.DATA, reason="named"),
        ),
        warnings=("something [to] say",),
    )  # fmt: skip


def report(*findings: Finding, run: IsolatedRun | None = None) -> VerifyReport:
    return VerifyReport(
        bundle=Path("/dist/app"), freezer="nuitka", platform="linux-x86_64", target=None,
        findings=findings, libraries=(), extensions=(), modules=7, run=run,
    )  # fmt: skip


FINDING = Finding(
    id="missing-library",
    severity=Severity.ERROR,
    subject="libssl.so.3",
    message="`libssl.so.3` is not in the bundle",
    evidence=(("needed by", "app/a.so"), ("searched", "/x (rpath)"), ("searched", "/[y] (cache)")),
    hint="put it in",
)


# --- JSON -------------------------------------------------------------------------------------


def test_a_scanned_file_has_the_documented_keys(file: NativeFile) -> None:
    row = extension_json(file, ["every Python"])
    assert list(row)[: len(SCAN_KEYS)] == SCAN_KEYS
    assert row["crates"] == [
        {"name": "pyo3", "version": "0.25.0", "source": "sbom"},
        {"name": "odd", "version": None, "source": "panic-path"},
    ]
    assert row["init"] == ["PyInitU_dmo_1ya", "PyInit_demo"]
    assert (row["format"], row["soname"], row["binding"]) == ("elf", "demo.so.1", "pyo3")
    assert row["install_names"] == []
    json.dumps(row)


def test_a_mac_file_tells_its_install_names(macho_module: Path) -> None:
    binary = read_binary(macho_module)
    file = NativeFile(
        path=PurePosixPath("demo.so"), distribution=None, version=None, binary=binary,
        provenance=Provenance(rust=False), module="demo", suffix=".so", naming=(), explanation="",
    )  # fmt: skip
    row = extension_json(file, [])
    assert row["install_names"] == ["@rpath/pkg.demo.so"]
    assert row["rpath"] == ["@loader_path/../lib"]
    assert row["architectures"] == ["arm64"]


def test_a_plan_has_the_documented_keys(plan: ExtensionPlan) -> None:
    document = plan_json(plan, [])
    assert list(document)[: len(INSPECT_KEYS)] == INSPECT_KEYS
    found, _, missing = document["libraries"]
    assert {k: found[k] for k in ("soname", "found", "how", "path", "searched")} == {
        "soname": "libc.so.6", "found": True, "how": "ld.so.cache", "path": "/lib/libc.so.6",
        "searched": [],
    }  # fmt: skip
    assert (missing["found"], missing["how"], missing["path"]) == (False, None, None)
    assert missing["searched"] == ["/a/libgone.so.1 (runpath)"]
    assert document["implicit_imports"][0] == {
        "module": "json",
        "verdict": "include",
        "reason": "standard library",
        "evidence": [
            {"kind": "exact-string", "where": "pkg/demo.so at 0x10", "detail": "lea at 0x20"}
        ],
    }
    assert document["companions"] == [{"file": "pkg/data.bin", "kind": "data", "reason": "named"}]


def test_a_verification_has_the_documented_keys() -> None:
    ended = IsolatedRun(code=-9, stdout="o", stderr="e", hidden=(Path("/src"),), libraries=())
    document = verify_json(report(FINDING, run=ended))
    assert list(document)[: len(VERIFY_KEYS)] == VERIFY_KEYS
    assert document["ok"] is False
    (finding,) = document["findings"]
    assert list(finding) == ["id", "severity", "subject", "message", "evidence", "hint"]
    assert finding["evidence"][0] == {"label": "needed by", "text": "app/a.so"}
    assert document["run"] == {"code": -9, "stdout": "o", "stderr": "e", "hidden": ["/src"],
                               "lacking": [], "missing": [], "seconds": None}  # fmt: skip
    assert verify_json(report())["run"] is None


def test_json_is_ascii_and_comes_back_as_it_was() -> None:
    value = {"a": "ü模\udcff", "b": [1, None, True]}
    assert to_json(value).isascii()
    assert json.loads(to_json(value)) == value


# --- text -------------------------------------------------------------------------------------


def test_a_finding_reads_as_the_style_guide_shows_it() -> None:
    assert text(lambda c: print_findings(c, [FINDING])) == (
        "error[missing-library]: `libssl.so.3` is not in the bundle\n"
        "  needed by   app/a.so\n"
        "  searched    /x (rpath)\n"
        "              /[y] (cache)\n"
        "hint: put it in\n"
        "\n"
    )


@pytest.mark.parametrize("severity", Severity)
def test_the_severity_is_a_word(severity: Severity) -> None:
    finding = Finding(id="i", severity=severity, subject="m", message="m")
    assert text(lambda c: print_findings(c, [finding])) == f"{severity.value}[i]: m\n\n"


def test_the_summary_counts_and_says_the_verdict() -> None:
    clean = text(lambda c: print_verify(c, report()))
    assert clean == (
        "app (nuitka, linux-x86_64) stands alone: 0 Rust extensions, 7 modules, 0 libraries; "
        "no findings\n"
    )
    note = Finding(id="i", severity=Severity.NOTE, subject="s", message="m")
    bad = text(lambda c: print_verify(c, report(FINDING, FINDING, note)))
    assert "does not stand alone" in bad
    assert bad.rstrip().endswith("2 errors, 1 note")
    old = replace(report(FINDING), target="manylinux_2_17_x86_64")
    assert "app (nuitka, linux-x86_64) is not ready for manylinux_2_17_x86_64: " in text(
        lambda c: print_verify(c, old)
    )


@pytest.mark.parametrize("hidden", [(), (Path("/src"), Path("/venv"))])
def test_a_run_says_what_it_could_not_see(hidden: tuple[Path, ...]) -> None:
    ended = IsolatedRun(code=0, stdout="", stderr="", hidden=hidden, libraries=())
    out = text(lambda c: print_verify(c, report(run=ended)))
    said = "with these out of sight: /src, /venv" if hidden else "without hiding anything"
    assert f"note: the program was started {said}" in out


@pytest.mark.parametrize("kind", ["text", "html", "markdown", "sarif", "junit"])
def test_what_a_verdict_does_not_rest_on_is_in_each_report(kind: str) -> None:
    ended = IsolatedRun(
        code=-9, stdout="", stderr="", hidden=(), libraries=(),
        lacking=("a network of its own",), seconds=7.5,
    )  # fmt: skip
    judged = replace(report(run=ended), unjudged=("names from data",))
    out = render(judged, ReportFormat(kind))
    assert "names from data" in out
    assert "without hiding anything" in out
    assert "this system does not give: a network of its own" in out
    assert "still running after 7.5 seconds" in out


def test_a_plan_in_words_holds_all_that_it_knows(plan: ExtensionPlan) -> None:
    out = text(lambda c: print_plan(c, plan, ["every Python"]))
    for words in (
        "pkg.demo\n", "pkg/demo.so", "pkg 1.0", "yes (rustc comment), rustc 1.80.0", "pyo3 0.25.0",
        "several-inits, PyInit_demo", "every Python", "(2, from panic-path, sbom)", "odd ?",
        "libc.so.6", "libm.so.6", "libgone.so.1", "include            json  standard library",
        "0x10  lea at 0x20", "report             x[bold]  why not",
        "data        pkg/data.bin  named", "warning: something [to] say",
    ):  # fmt: skip
        assert words in out, words


def test_a_plan_says_what_is_not_there(file: NativeFile, elf_module: Path) -> None:
    bare = ExtensionPlan(
        file=file, path=elf_module, imports=(),
        libraries=LibraryGraph(root=elf_module, edges=()),
    )  # fmt: skip
    out = text(lambda c: print_plan(c, bare, []))
    assert "importable by  no Python" in out
    assert "libraries\n  none" in out
    assert "implicit imports (0)" in out
    assert "companions" not in out


def test_colour_carries_nothing_that_the_words_do_not_say(plan: ExtensionPlan) -> None:
    import re

    def write(console: Console) -> None:
        print_plan(console, plan, ["every Python"])
        print_verify(console, report(FINDING))

    coloured = text(write, styled=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == text(write)


# --- where the output goes --------------------------------------------------------------------


@pytest.fixture
def bundle(tmp_path: Path, gcc: Compile) -> Path:
    gone = gcc("libgone.so", "int gone(void) { return 0; }", "-shared", "-fPIC",
               "-Wl,-soname,libgone.so.1")  # fmt: skip
    app = gcc("app", "int gone(void); int main(void) { return gone(); }", str(gone))
    write_files(tmp_path / "app", {"app": app})
    return tmp_path / "app"


def test_a_pipe_gets_no_colour_and_the_same_bytes_each_time(bundle: Path) -> None:
    command = [sys.executable, "-m", "rustext", "verify", str(bundle)]
    outputs = {
        subprocess.run(command, capture_output=True, check=False, timeout=60).stdout
        for _ in range(3)
    }
    (output,) = outputs
    assert b"\x1b" not in output
    assert output.startswith(b"error[missing-library]: ")


@pytest.mark.parametrize("variable", ["NO_COLOR", None])
def test_no_color_is_honoured_on_a_terminal(bundle: Path, variable: str | None) -> None:
    import pty

    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    env["TERM"] = "xterm-256color"
    env |= {variable: "1"} if variable else {}
    main, side = pty.openpty()
    command = [sys.executable, "-m", "rustext", "verify", "-q", str(bundle)]
    with subprocess.Popen(command, stdout=side, stderr=subprocess.PIPE, env=env) as process:
        os.close(side)
        output = b""
        try:
            while chunk := os.read(main, 65536):
                output += chunk
        except OSError:  # Linux: the other side is closed
            pass
        assert process.wait(timeout=60) == 1
    os.close(main)
    colours = [b"\x1b[31m", b"\x1b[32m"]
    assert any(c in output for c in colours) is (variable is None)
    assert b"[missing-library]" in output


def test_scan_and_inspect_write_the_documented_json(
    tmp_path: Path, elf_module: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path, {"demo.so": elf_module})
    assert run(["scan", str(tmp_path), "--all", "--json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)["extensions"]
    assert list(row)[: len(SCAN_KEYS)] == SCAN_KEYS
    assert run(["inspect", str(tmp_path / "demo.so"), "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert list(document)[: len(INSPECT_KEYS)] == INSPECT_KEYS
    assert document["extension"] == row


# --- names that are no text -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "a\udcffb", "a\u202eb", "a[/red]b", "a\\"])
def test_no_name_breaks_a_line_of_inspect_or_of_its_tree(
    name: str, plan: ExtensionPlan, file: NativeFile, elf_module: Path
) -> None:
    def lines(name: str) -> list[str]:
        odd = Path("/x") / name
        hostile = replace(
            plan,
            file=replace(file, path=PurePosixPath(name), module=None, explanation=name),
            imports=(
                ImplicitImport(module=name, verdict=Verdict.INCLUDE, reason=name,
                               evidence=(Evidence(kind=EvidenceKind.PLUGIN, where=name,
                                                  detail=name),)),
            ),
            libraries=LibraryGraph(
                root=elf_module,
                edges=(
                    Resolved(soname=name, path=odd, how=FoundBy.RPATH, needed_by=elf_module),
                    Missing(soname=name, needed_by=odd,
                            searched=(Searched(how=FoundBy.RPATH, path=name, rejected=name),)),
                ),
            ),
            companions=(Companion(path=odd, destination=PurePosixPath(name),
                                  kind=CompanionKind.DATA, reason=name),),
            warnings=(name,),
        )  # fmt: skip

        def write(console: Console) -> None:
            print_plan(console, hostile, [name])
            print_libraries(console, [hostile], dot=False)

        return text(write).splitlines()

    shown = lines(name)
    assert len(shown) == len(lines("plain"))
    assert shown == [one_line(line) for line in shown]
    assert sum(line.count(one_line(name)) for line in shown) == sum(
        line.count("plain") for line in lines("plain")
    )
