"""A page of Markdown or HTML says what the terminal would, whatever names it has to carry."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from markdown_it import MarkdownIt
from packageurl import PackageURL

from rustext.cli.main import run
from rustext.report.console import Console
from rustext.report.documents import bill_of_materials, to_json
from rustext.report.escape import one_line
from rustext.report.page import Page

HOSTILE = [
    "plain",
    "a|b",
    "```",
    "`x`",
    "</pre><script>",
    "a\nb\x1b[1m",
    "| --- |",
    "# no",
    "*x*",
    "",
]


def say(console: Console) -> None:
    console.heading("part", " (1)")
    for name in HOSTILE:
        console.line("  ", name, "  more", indent=4)
    console.heading("<b>", "`|")
    console.table([("name", "kind"), *((name, "z") for name in HOSTILE)])
    console.line("end")


def a_page() -> Page:
    page = Page(stream=io.StringIO(), title="rustext scan <i>")
    say(page)
    return page


class Texts(HTMLParser):
    """The texts of elements, by the name of the innermost one."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts[self.open[-1]][-1] += data


def lines() -> str:
    return "\n".join(one_line(f"  {name}  more") for name in HOSTILE)


def test_markdown_holds_the_lines_as_code_and_the_table_as_a_table() -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(a_page().render("markdown"))
    code = [token.content for token in tokens if token.type == "fence"]
    assert code == [f"{lines()}\n", "end\n"]
    texts = [t for token in tokens if token.type == "inline" for t in [token.children or []]]
    said = ["".join(child.content for child in children) for children in texts]
    assert said[:3] == ["rustext scan <i>", "part (1)", "<b>`|"]
    cells = said[3:]
    assert cells[:2] == ["name", "kind"]
    assert cells[2::2] == [
        one_line(n).replace("`", "") if n == "`x`" else one_line(n) for n in HOSTILE
    ]
    assert {child.type for children in texts for child in children} <= {
        "text", "code_inline", "text_special",
    }  # fmt: skip
    assert sum(token.type == "html_block" for token in tokens) == 1  # the mark


def test_html_holds_the_same_and_no_markup_of_names() -> None:
    page = Texts(a_page().render("html"))
    assert page.open == []
    assert page.texts["h1"] == ["rustext scan <i>"]
    assert page.texts["h2"] == ["part (1)", "<b>`|"]
    assert page.texts["pre"] == [lines().strip("\n"), "end"]
    assert page.texts["td"][::2] == list(map(one_line, HOSTILE))
    assert len(page.texts["script"]) == 1


@pytest.mark.parametrize("suffix", ["md", "html", "json", "txt"])
@pytest.mark.parametrize("words", ["scan", "inspect", "plan", "doctor"])
def test_a_file_holds_what_is_printed_and_is_replaced_the_next_time(
    words: str, suffix: str, tmp_path: Path, elf_module: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, lean_path: None,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text("import json\n")
    given = {
        "scan": [str(elf_module.parent), "--all"],
        "inspect": [str(elf_module)],
        "plan": ["app.py"],
    }
    command = [words, *given.get(words, [])]
    kind = {"md": "markdown", "txt": "text"}.get(suffix, suffix)
    code = run([*command, "--format", kind])
    printed = capsys.readouterr().out
    for _ in range(2):
        assert run([*command, "-o", f"out.{suffix}"]) == code
        assert capsys.readouterr().err.endswith(f"report: out.{suffix}\n")
    assert (tmp_path / f"out.{suffix}").read_text() == printed
    (tmp_path / "notes.md").write_text("# mine\n")
    assert run([*command, "-o", "notes.md"]) == 2
    assert (tmp_path / "notes.md").read_text() == "# mine\n"


def test_the_bill_of_materials_fits_its_schema_and_holds_each_crate_once() -> None:
    crates = [
        {"name": name, "version": version, "source": "sbom"}
        for name, version in (
            ("a", "1.0.0"),
            ("a", "2.0.0+x"),
            ("b", None),
            (HOSTILE[5], "1"),
            ("\udcff", "1"),
        )
    ]
    rows = [{"file": name, "crates": crates} for name in ("x.so", "\udcff.so", "x.so")]
    text = to_json(bill_of_materials(rows))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    components = json.loads(text)["components"]
    assert {(c["name"], c.get("version")) for c in components} == {
        ("a", "1.0.0"), ("a", "2.0.0+x"), (one_line(HOSTILE[5]), "1"), ("b", None),
        ("\\udcff", "1"),
    }  # fmt: skip
    components = [c for c in components if c["name"] == "a"]
    assert [PackageURL.from_string(c["purl"]).version for c in components] == [
        "1.0.0",
        "2.0.0+x",
    ]
    assert components[0]["evidence"]["occurrences"] == [
        {"location": "x.so"},
        {"location": "\\udcff.so"},
    ]


def test_a_name_that_means_a_format_of_findings_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(["scan", str(tmp_path), "-o", str(tmp_path / "x.sarif")])
    assert "`scan` has no `sarif`" in capsys.readouterr().err
    assert not (tmp_path / "x.sarif").exists()
