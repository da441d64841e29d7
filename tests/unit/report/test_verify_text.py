"""The text of a verification on a terminal, and where a report may be written."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from compiling import Compile
from environments import write_files

from rustext.cli.main import run
from rustext.errors import UnreadableFile
from rustext.model.findings import Finding, Severity
from rustext.model.verification import FloorCause, SystemFloor, VerifyReport
from rustext.report.console import Console
from rustext.report.escape import one_line
from rustext.report.output import ReportFormat, render, write_report
from rustext.report.verify_text import print_findings, print_verify


def a_report(*findings: Finding, floors: tuple[SystemFloor, ...] = ()) -> VerifyReport:
    return VerifyReport(
        bundle=Path("/dist/app"), freezer="nuitka", platform="linux-x86_64", target=None,
        findings=findings, libraries=(), extensions=(), modules=7, floors=floors,
    )  # fmt: skip


def a_finding(subject: str, message: str, **others: object) -> Finding:
    facts: dict[str, object] = {"id": "missing-library", "severity": Severity.ERROR, **others}
    return Finding(subject=subject, message=message, **facts)  # type: ignore[arg-type]


def on_a_terminal(*findings: Finding, width: int = 80, verbose: bool = False) -> list[str]:
    out = io.StringIO()
    print_verify(Console(stream=out, width=width), a_report(*findings), verbose=verbose)
    return out.getvalue().splitlines()


LONG = "a/" + "long/" * 20 + "name.so"


# --- lines ------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_line_is_longer_than_the_terminal_only_where_one_word_is(width: int) -> None:
    finding = a_finding(
        "x", "`x` " + "word " * 40,
        evidence=(("needed by", LONG), ("searched", "some words and then " + LONG + " (rpath)")),
        hint="do this " * 20,
    )  # fmt: skip
    for line in on_a_terminal(finding, width=width):
        assert len(line) <= width or len(line.split()[-1]) > width - 30, line


def test_evidence_that_is_broken_stays_in_its_column() -> None:
    finding = a_finding("x", "`x`", evidence=(("searched", f"{LONG} (default folder)"),))
    _, first, second, *_ = on_a_terminal(finding)
    assert first == f"  searched    {LONG}"
    assert second == "              (default folder)"


def test_what_stands_in_backticks_is_not_broken() -> None:
    option = "`--allow-system libsomething-long.so.1`"
    lines = on_a_terminal(a_finding("x", "`x`", hint=f"put it into the bundle, or use {option}"))
    assert any(option in line for line in lines)


def test_a_file_gets_whole_lines() -> None:
    finding = a_finding("x", "`x` " + "word " * 100)
    first, *_ = render(a_report(finding), ReportFormat.TEXT).splitlines()
    assert first.count("word") == 100


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mb", "a\udcffb", "a\u202eb", "a\rb", "a[/red]b"])
def test_a_name_neither_breaks_a_line_nor_drives_a_terminal(name: str) -> None:
    finding = a_finding(name, f"`{name}` is bad", evidence=((name, name),), hint=name)
    lines = on_a_terminal(finding, width=120)
    assert [one_line(line) for line in lines] == lines
    assert lines[0] == f"error[missing-library]: `{one_line(name)}` is bad"
    assert len(lines) == 5  # head, evidence, hint, nothing, summary


def test_escapes_are_pythons() -> None:
    hostile = "\n\t\x1b\x7f\x85\xa0\u200b\u202e\u2028\udcff"
    assert one_line(f"ü模 {hostile}") == f"ü模 {ascii(hostile)[1:-1]}"


# --- groups -----------------------------------------------------------------------------------


def test_neighbours_with_the_same_advice_share_it() -> None:
    lines = on_a_terminal(
        a_finding("a", "`a` is missing", hint="freeze again"),
        a_finding("b", "`b` is missing", hint="freeze again"),
        a_finding("c", "`c` is missing", hint="another"),
    )
    assert lines[:6] == [
        "error[missing-library]: `a` is missing",
        "error[missing-library]: `b` is missing",
        "hint: freeze again",
        "",
        "error[missing-library]: `c` is missing",
        "hint: another",
    ]


def test_findings_that_say_the_same_have_one_headline_and_name_each_subject() -> None:
    lines = on_a_terminal(
        a_finding("app/a.so", "says this", evidence=(("names", "x"),)),
        a_finding("app/b.so", "says this", evidence=(("names", "y"),)),
    )
    assert lines[:5] == [
        "error[missing-library]: says this (2 times)",
        "  in          app/a.so",
        "  names       x",
        "  in          app/b.so",
        "  names       y",
    ]


def test_many_notes_are_counted_unless_all_are_asked_for() -> None:
    notes = [
        a_finding(f"app/{n}.so", f"note {n}", id="missing-import", severity=Severity.NOTE)
        for n in range(12)
    ]
    assert "  … and 7 more, which -v shows" in on_a_terminal(*notes)
    shown = on_a_terminal(*notes, verbose=True)
    assert not [line for line in shown if "more" in line]
    assert [line for line in shown if line.startswith("note[")] == [
        f"note[missing-import]: note {n}" for n in range(12)
    ]
    assert shown[-1].endswith("12 notes")


def test_every_error_with_a_message_of_its_own_is_shown() -> None:
    errors = [a_finding(str(n), f"`{n}` is missing") for n in range(40)]
    heads = [line for line in on_a_terminal(*errors) if line.startswith("error[")]
    assert len(heads) == 40


def test_the_summary_names_the_oldest_systems() -> None:
    cause = FloorCause(file="app/a.so", version="GLIBC_2.28", symbols=("fcntl64",))
    floor = SystemFloor(
        system="glibc", architecture="x86_64", version="2.28", policy="manylinux_2_28",
        systems=("Debian 10", "RHEL 8"), causes=(cause,),
    )  # fmt: skip
    out = io.StringIO()
    print_verify(Console(stream=out), a_report(floors=(floor,)))
    assert out.getvalue().splitlines()[-1] == (
        "  needs glibc 2.28 or later (x86_64): manylinux_2_28, Debian 10, RHEL 8"
    )


def test_no_findings_print_nothing() -> None:
    out = io.StringIO()
    print_findings(Console(stream=out), [])
    assert out.getvalue() == ""


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ReportFormat)
@pytest.mark.parametrize("findings", [(), (a_finding("x", "`x` is missing"),)], ids=["ok", "bad"])
def test_an_earlier_report_of_any_format_is_replaced(
    kind: ReportFormat, findings: tuple[Finding, ...], tmp_path: Path
) -> None:
    path = tmp_path / "report"
    write_report(render(a_report(*findings), kind), path)
    for other in ReportFormat:
        write_report(render(a_report(), other), path)
        assert path.read_text() == render(a_report(), other)
        write_report(render(a_report(*findings), kind), path)


@pytest.mark.parametrize(
    "content",
    [
        "import app\n",
        "{}\n",
        "# app\n\napp (nuitka, linux) stands alone: 1",
        '{"bundle": 1}\n',
        " ",
    ],
)
def test_any_other_file_is_left_alone(content: str, tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text(content)
    with pytest.raises(UnreadableFile, match="no report of rustext"):
        write_report(render(a_report(), ReportFormat.TEXT), path)
    assert path.read_text() == content


def test_an_empty_file_may_be_filled_and_a_device_written_to(tmp_path: Path) -> None:
    (tmp_path / "made-by-mktemp").touch()
    write_report("text", tmp_path / "made-by-mktemp")
    assert (tmp_path / "made-by-mktemp").read_text() == "text"
    write_report("text", Path(os.devnull))


@pytest.mark.parametrize("where", ["missing/report", "."])
def test_a_report_that_cannot_be_written_is_an_error(where: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="cannot be written"):
        write_report("text", tmp_path / where)


# --- the command ------------------------------------------------------------------------------


@pytest.fixture
def bundle(tmp_path: Path, gcc: Compile) -> Path:
    write_files(tmp_path / "app", {"app": gcc("app", "int main(void) { return 0; }")})
    return tmp_path / "app"


def test_the_file_holds_what_stdout_would_and_stderr_the_verdict(
    bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for kind in ReportFormat:
        assert run(["verify", str(bundle), "--format", kind.value]) == 0
        expected = capfd.readouterr().out
        file = tmp_path / f"report.{kind.value}"
        assert run(["verify", str(bundle), "--format", kind.value, "-o", str(file)]) == 0
        shown = capfd.readouterr()
        assert file.read_text() == expected
        assert shown.out == ""
        assert "shows no fault" in shown.err
        assert str(file) in shown.err


def test_json_is_a_format(bundle: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outputs = set()
    for words in (["--json"], ["--format", "json"], ["--json", "--format", "json"]):
        assert run(["verify", str(bundle), *words]) == 0
        outputs.add(capfd.readouterr().out)
    (output,) = outputs
    assert json.loads(output)["ok"] is True


@pytest.mark.parametrize(
    "words", [["verify", "app", "--format", "text"], ["inspect", "app", "--format", "dot"]]
)
def test_json_and_another_format_contradict_each_other(
    words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run([*words, "--json"])
    assert stopped.value.code == 2
    assert f"not allowed with argument --format {words[-1]}" in capfd.readouterr().err
