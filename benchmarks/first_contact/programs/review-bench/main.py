"""A review bench for a code base: Pylint and flake8 with the house's own plug-ins, bugbear and McCabe, coverage of a test run with four reports, isort's order, a LibCST codemod, settings in TOML held by pydantic, the result as a Rich table, JSON and SARIF."""
import argparse
import importlib
import io
import json
import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path

import astroid
import coverage
import isort
import libcst as cst
import tomlkit
from flake8.api import legacy as flake8
from flake8.main.application import Application
from libcst.codemod import CodemodContext
from libcst.metadata import MetadataWrapper, ParentNodeProvider
from pydantic import BaseModel, Field, ValidationError
from pylint.lint import Run
from pylint.reporters import CollectingReporter
from pylint.reporters.json_reporter import JSON2Reporter
from pylint.reporters.text import ColorizedTextReporter
from rich.console import Console
from rich.table import Table

from house.rules import Calls, PathCodemod
from house.sample import FILES



class Bench(BaseModel):
    fail_under: float = Field(ge=0, le=100)
    max_complexity: int = Field(gt=0)
    plugins: list[str] = []


class Finding(BaseModel):
    tool: str
    code: str
    path: str
    line: int


def settings(root):
    document = tomlkit.parse((root / "pyproject.toml").read_text())
    bench = Bench.model_validate(document["tool"]["bench"].unwrap())
    try:
        Bench.model_validate({"fail_under": 120, "max_complexity": 0})
    except ValidationError as error:
        print("refused", [(e["loc"][0], e["type"]) for e in error.errors()])
    document["tool"]["bench"]["fail_under"] = 65
    document["tool"]["bench"].add("seen", True)
    print("settings", document.as_string().splitlines()[:3], bench.plugins[0])
    return bench


def run_pylint(bench):
    reporter = CollectingReporter()
    arguments = ["shop", f"--load-plugins={','.join(bench.plugins)}", f"--max-complexity={bench.max_complexity}", "--disable=R0903,unused-argument", "--persistent=n", "--money-names=price"]
    result = Run(arguments, reporter=reporter, exit=False)
    for kind in (JSON2Reporter, ColorizedTextReporter):
        out = io.StringIO()
        Run(["shop/stock.py", "--persistent=n", "--disable=all", "--enable=no-member,consider-using-f-string"], reporter=kind(out), exit=False)
        text = out.getvalue()
        print("pylint", kind.__name__, json.loads(text)["statistics"]["messageTypeCount"]["error"] if text.startswith("{") else "no-member" in text)
    print("pylint score", round(result.linter.stats.global_note, 2), len(result.linter.get_checkers()) > 25)
    return [Finding(tool="pylint", code=msg.symbol, path=msg.path, line=msg.line) for msg in reporter.messages]


def run_flake8(bench):
    Path(".flake8").write_text(
        f"[flake8]\nmax-complexity = {bench.max_complexity}\nmax-line-length = 120\nextend-select = B9\n"
        "[flake8:local-plugins]\nextension =\n  HS1 = house.rules:PrintPlugin\n"
    )
    out = Path("flake8.txt")
    app = Application()
    app.run(["shop", "--jobs=1", "--format=%(path)s:%(row)d:%(code)s", f"--output-file={out}"])
    found = [line.split(":") for line in out.read_text().splitlines()]
    style = flake8.get_style_guide(select=["E", "W"], max_line_length=60)
    report = style.check_files(["shop/till.py"])
    print("flake8", app.result_count, "errors by the old interface", report.get_statistics("E"))
    return [Finding(tool="flake8", code=code, path=path, line=int(line)) for path, line, code in found]


def run_coverage():
    cov = coverage.Coverage(data_file=".coverage", config_file="pyproject.toml")
    with cov.collect():
        tests = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module("tests_shop"))
        result = unittest.TextTestRunner(stream=io.StringIO()).run(tests)
    cov.save()
    text = io.StringIO()
    percent = cov.report(file=text, show_missing=True)
    cov.xml_report(outfile="cov.xml")
    cov.json_report(outfile="cov.json")
    cov.lcov_report(outfile="cov.lcov")
    cov.html_report(directory="htmlcov")
    _, statements, _, missing, spelled = cov.analysis2("shop/stock.py")
    rate = ET.parse("cov.xml").getroot().get("branch-rate")
    branches = json.loads(Path("cov.json").read_text())["totals"]["num_branches"]
    print("coverage", result.testsRun, result.wasSuccessful(), len(statements), spelled, "branches", branches, rate, Path("cov.lcov").read_text().count("end_of_record"), sorted(p.suffix for p in Path("htmlcov").glob("style*")))
    print(text.getvalue().splitlines()[-1])
    return percent


def rewrite():
    source = Path("shop/till.py").read_text()
    context = CodemodContext(filename="shop/till.py")
    changed = PathCodemod(context).transform_module(cst.parse_module(source)).code
    wrapper = MetadataWrapper(cst.parse_module(changed))
    wrapper.visit(calls := Calls())
    parents = wrapper.resolve(ParentNodeProvider)
    ordered = isort.code(changed, config=isort.Config(settings_path=os.getcwd()))
    print("rewritten", "os.path" in ordered, [line for line in ordered.splitlines() if "import" in line or "Path(" in line], sorted(calls.names)[:3], len(parents) > 50)
    return ordered


def sarif(findings):
    rules = sorted({f.code for f in findings})
    results = [{"ruleId": f.code, "locations": [{"physicalLocation": {"artifactLocation": {"uri": f.path}, "region": {"startLine": f.line}}}]} for f in findings]
    return {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "review-bench", "rules": [{"id": r} for r in rules]}}, "results": results}]}


def table(findings):
    console = Console(file=io.StringIO(), width=70, record=True, force_terminal=True, color_system="truecolor")
    view = Table("tool", "where", "codes", title="findings")
    for tool in ("pylint", "flake8"):
        for path in sorted({f.path for f in findings}):
            view.add_row(tool, path, ", ".join(sorted({f.code for f in findings if (f.tool, f.path) == (tool, path)})))
    console.print(view)
    return console.export_text()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("root", nargs="?", type=Path, help="a code base; else one made up")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = options.root or Path(name)
        if options.root is None:
            for path, text in FILES.items():
                (root / path).parent.mkdir(exist_ok=True)
                (root / path).write_text(text)
        home = os.getcwd()
        os.chdir(root)
        sys.path.insert(0, os.getcwd())
        bench = settings(root)
        findings = run_pylint(bench) + run_flake8(bench)
        print("\n".join(line.rstrip() for line in table(findings).splitlines()))
        percent = run_coverage()
        ordered = rewrite()
        inferred = next(astroid.extract_node("import collections\ncollections.Counter('abc').most_common(1) #@").func.expr.infer())
        os.chdir(home)
    report = sarif(findings)
    codes = {f.code for f in findings}
    assert {"money-is-whole", "no-member", "HS1", "B006", "too-complex"} - codes == set(), sorted(codes)
    assert ordered.index("import json") < ordered.index("from pathlib") < ordered.index("from .stock")
    print("OK", len(report["runs"][0]["results"]), f"{percent:.1f}", percent >= bench.fail_under, inferred.name)


if __name__ == "__main__":
    sys.exit(main())
