"""The documentation builds without a warning, and says of each finding and option what there is."""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rustext.cli.arguments import make_parser
from rustext.config import parse_config
from rustext.data import read_data
from rustext.errors import InvalidConfiguration
from rustext.report.rules import DOCS, RULES, help_uri

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = ROOT / "docs" / "findings"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-n"]
    command += ["-d", str(folder / "trees"), str(ROOT / "docs"), str(folder / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder / "html"


# --- findings ---------------------------------------------------------------------------------


def finding_ids() -> dict[str, str]:
    """The ids that stand in the code, each with a file; an id is a literal, so that this works."""
    found: dict[str, str] = {}
    for file in sorted((ROOT / "src").rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "Finding":
                found.update(dict.fromkeys(literal_ids(call), file.name))
    return found


def literal_ids(call: ast.Call) -> Iterator[str]:
    (value,) = (keyword.value for keyword in call.keywords if keyword.arg == "id")
    options = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
    for option in options:
        assert isinstance(option, ast.Constant), ast.unparse(call)
        yield str(option.value)


def test_each_finding_has_a_rule_and_a_page_and_none_is_left_over() -> None:
    ids = finding_ids()
    assert {"missing-library", "missing-import", "run"} <= set(ids)
    assert set(RULES) == set(ids)
    assert {page.stem for page in PAGES.glob("*.md")} == {*ids, "index"}
    assert list(RULES) == sorted(RULES)


@pytest.mark.parametrize("name", sorted(RULES))
def test_the_page_of_a_finding_says_what_it_means_shows_it_and_helps(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n\n")
    assert re.findall("^## (.+)$", text, re.MULTILINE)[-2:] == ["Example", "What to do"]
    example = text.partition("```console\n")[2].partition("```")[0]
    assert example.startswith("$ rustext ")
    assert f"[{name}]: " in example or "\nwarning: " in example


def test_the_address_of_a_finding_is_its_page(site: Path) -> None:
    for name in RULES:
        page = site / help_uri(name).removeprefix(DOCS)
        assert f"<title>{name} - rustext</title>" in page.read_text(encoding="utf-8")


# --- reference --------------------------------------------------------------------------------


def test_the_reference_names_each_command_and_option(site: Path) -> None:
    text = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    words = set(re.findall(r"[\w-]+", re.sub("<[^>]*>", " ", text)))
    parser = make_parser()
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for name, one in commands.choices.items():
        assert f"rustext {name}<" in text
        for action in one._actions:
            assert set(action.option_strings) <= words, name
            assert action.help, action


def test_the_schemas_are_where_they_say(site: Path) -> None:
    for file in (ROOT / "src" / "rustext" / "data" / "schemas").glob("*.json"):
        address = json.loads(file.read_text(encoding="utf-8"))["$id"]
        assert address.startswith(DOCS)
        assert (site / address.removeprefix(DOCS)).read_bytes() == file.read_bytes()


def toml_of(page: str) -> dict[str, Any]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return tomllib.loads(text.partition("```toml\n")[2].partition("```")[0])


def test_the_configuration_names_each_option_and_no_other() -> None:
    table = toml_of("reference/configuration.md")["tool"]["rustext"]
    parse_config(table, "the example")
    with pytest.raises(InvalidConfiguration) as refused:
        parse_config({"no-such-option": 1}, "")
    known = (refused.value.hint or "").removeprefix("known are ").split(", ")
    assert sorted(table) == known
    rows = (ROOT / "docs/reference/configuration.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `([a-z-]+)` \|", rows, re.MULTILINE)) == known


def test_the_crate_rule_that_is_shown_is_one_and_its_keys_are_explained() -> None:
    (rule,) = toml_of("reference/crate-rules.md")["rule"]
    assert rule in read_data("crates")["rule"]
    rows = (ROOT / "docs/reference/crate-rules.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE) == list(rule)


def test_all_name_one_address_of_the_documentation() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["urls"]["Documentation"] == DOCS


def test_options_are_shown_as_they_are_typed(site: Path) -> None:
    for page in site.rglob("*.html"):
        dashed = re.findall(r"[\u2013\u2014]\w\S*", page.read_text(encoding="utf-8"))
        assert not dashed, (page.name, dashed)


def test_nothing_is_loaded_from_other_servers(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]* src="(https?:[^"]*)"', text)
        loaded += re.findall(r'<link[^>]*rel="stylesheet"[^>]*href="(https?:[^"]*)"', text)
        assert not loaded, page


# --- figures ----------------------------------------------------------------------------------

UNITS = "ms|s|MB|times|seconds|minutes|modules|programs|wheels|imports"
FIGURE = re.compile(rf"\b\d[\d,.]*(?: of \d[\d,]*| ?(?:%|(?:{UNITS})\b))")
# Written by ./test --matrix, which they name, and not by a benchmark.
MATRIX = ROOT / "docs" / "example-matrix.md"


def prose(page: Path) -> str:
    """A page without what programs print, in one line."""
    text = re.sub(
        "^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    return " ".join(text.split())


def test_each_figure_was_printed_by_a_benchmark() -> None:
    table = ROOT / "benchmarks" / "corpus" / "table.md"
    first = (ROOT / "benchmarks" / "first_contact").glob("*.md")
    results = (*(ROOT / "benchmarks" / "results").glob("*.md"), table, *first)
    printed = "\n".join(page.read_text(encoding="utf-8") for page in results)
    pages = {ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")}
    shown = {page: FIGURE.findall(prose(page)) for page in pages - {MATRIX}}
    assert shown[ROOT / "README.md"]
    for page, figures in shown.items():
        assert [figure for figure in figures if figure not in printed] == [], page


def test_each_result_names_its_command_and_is_shown() -> None:
    pages = [*(ROOT / "docs" / "benchmarks").glob("*.md")]
    included = "".join(page.read_text(encoding="utf-8") for page in pages)
    for result in (ROOT / "benchmarks" / "results").glob("*.md"):
        command, _, facts, *_ = result.read_text(encoding="utf-8").splitlines()
        script = command.removeprefix("    python ").split()[0]
        assert (ROOT / script).is_file(), result
        assert facts.startswith("Measured "), result
        assert f"../../benchmarks/results/{result.name}\n" in included, result


def test_what_the_readme_says_of_the_examples_stands_in_the_matrix() -> None:
    table = json.loads(MATRIX.with_suffix(".json").read_text(encoding="utf-8"))["rows"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(
        r"^\| \[(\w+)\]\(.*?\) \|.*?\| (\w+) \| (.+?) \| runs \|$", readme, re.MULTILINE
    )
    assert shown
    for name, freezer, without in shown:
        rows = [r for r in table if (r["example"], r["freezer"]) == (name, freezer.lower())]
        alone = [r for r in rows if not r["rustext"]]
        assert {r["result"] for r in rows if r["rustext"]} == {"runs"}, name
        assert {r["result"] for r in alone} == {"runs" if without == "runs" else "fails"}, name
        if without.startswith("`"):
            assert all(without.strip("`") in r["message"] for r in alone), name


def test_each_benchmark_that_is_named_exists() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for name in re.findall(r"benchmarks/[\w/]+\.py", page.read_text(encoding="utf-8")):
            assert (ROOT / name).is_file(), page


def test_the_list_of_benchmarks_names_each_that_is_run() -> None:
    folder = ROOT / "benchmarks"
    run = re.findall(r'^    "(\w+)": ', (folder / "run_all.py").read_text("utf-8"), re.MULTILINE)
    rows = re.findall(r"^\| (`.*?`) \|", (folder / "README.md").read_text("utf-8"), re.MULTILINE)
    assert run
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == run
    assert {page.stem for page in (folder / "results").glob("*.md")} <= set(run)
