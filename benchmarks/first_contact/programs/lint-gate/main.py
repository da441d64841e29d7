"""A gate for code: Fixit's rules and autofixes, Bandit's checks with its own formatter, yamllint over a workflow, SQL strings parsed and optimized by sqlglot, a report in TOML."""
import io
import os
import tempfile
from pathlib import Path

import libcst as cst
import sqlglot
import tomlkit
from bandit.core import config as bandit_config
from bandit.core import manager as bandit_manager
from fixit.api import fixit_bytes, generate_config
from sqlglot.optimizer import optimize
from yamllint import linter
from yamllint.config import YamlLintConfig

CODE = b'''import subprocess
import pickle
def run(x, names = None):
    if x == None:
        return list([n for n in names])
    assert isinstance(x, str) or isinstance(x, bytes)
    print("a %s" % x)
    subprocess.call("ls " + x, shell=True)
    return pickle.loads(x)
QUERY = "select a.id, b.name from a join b on a.id = b.id where 1 = 1 and a.x > 2"
'''
FLOW = "on: push\njobs:\n   build: {runs-on: x }\n   build: again\n"


class Strings(cst.CSTVisitor):
    def __init__(self):
        self.found = []

    def visit_SimpleString(self, node):
        if node.evaluated_value.startswith("select"):
            self.found.append(node.evaluated_value)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "pyproject.toml").write_text('[tool.fixit]\nroot = true\nenable = ["fixit.rules"]\n[tool.fixit.options]\n')
        path = folder / "job.py"
        path.write_bytes(CODE)
        os.chdir(folder)
        made = generate_config(path)
        results = list(fixit_bytes(path, CODE, config=made, autofix=True))
        rules = sorted({r.violation.rule_name for r in results if r.violation})
        manager = bandit_manager.BanditManager(bandit_config.BanditConfig(), "file")
        manager.discover_files([str(path)])
        manager.run_tests()
        issues = sorted({i.test_id for i in manager.get_issue_list()})
        out = folder / "bandit.json"
        with out.open("w") as file:
            manager.output_results(3, "LOW", "LOW", file, "json")
        size = len(out.read_text()) > 500
        os.chdir("/")
    problems = sorted({p.rule for p in linter.run(FLOW, YamlLintConfig("extends: default"))})
    visitor = Strings()
    cst.parse_module(CODE).visit(visitor)
    plan = optimize(sqlglot.parse_one(visitor.found[0], read="postgres"), schema={"a": {"id": "int", "x": "int"}, "b": {"id": "int", "name": "text"}})
    other = sqlglot.transpile("select to_char(x, 'YYYY') from t limit 3", read="oracle", write="tsql")[0]
    report = tomlkit.document()
    report["rules"] = rules
    report.add(tomlkit.comment("made here"))
    print("OK", rules, issues, size, problems, len(plan.sql()) > 20, other, len(tomlkit.dumps(report)) > 20)


main()
