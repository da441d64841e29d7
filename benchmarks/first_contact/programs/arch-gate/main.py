"""A gate for the architecture of a code base: layers held by Import Linter and Grimp, missing and unused requirements by deptry, dead code by Vulture, complexity by complexipy, one rename by rope."""
import json
import os
import sys
import tempfile
from pathlib import Path

import grimp
from click.testing import CliRunner
from complexipy import code_complexity, file_complexity
from deptry.cli import cli as deptry_cli
from importlinter.cli import lint_imports_command
from importlinter.api import read_configuration
from rope.base.project import Project
from rope.refactor.rename import Rename
from vulture import Vulture

FILES = {
    "depot/__init__.py": "",
    "depot/web/__init__.py": "from depot.service import place\n\n\ndef handler(q):\n    return place(q)\n",
    "depot/service/__init__.py": "import click\nfrom depot.store import save\nfrom depot.web import handler as _h\n\n\ndef place(q):\n    return save(q)\n",
    "depot/store/__init__.py": (
        "import requests\nimport json\n\n\ndef save(q):\n    for a in q:\n        if a:\n            for b in a:\n                if b and b > 1 or b < -1:\n"
        "                    return b\n        elif q:\n            continue\n    return None\n\n\ndef forgotten():\n    unused = 1\n    return 2\n"
    ),
    "pyproject.toml": """[project]
name = "depot"
version = "1.0"
dependencies = ["click>=8", "attrs"]

[tool.importlinter]
root_package = "depot"

[[tool.importlinter.contracts]]
name = "layers"
type = "layers"
layers = ["depot.web", "depot.service", "depot.store"]

[[tool.importlinter.contracts]]
name = "the store is alone"
type = "forbidden"
source_modules = ["depot.store"]
forbidden_modules = ["depot.web"]
""",
}


def layout(root):
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def imports():
    graph = grimp.build_graph("depot", include_external_packages=True, cache_dir=None)
    layers = graph.find_illegal_dependencies_for_layers(layers=("depot.web", "depot.service", "depot.store"))
    illegal = sorted((d.importer, d.imported) for d in layers)
    chain = graph.find_shortest_chain(importer="depot.web", imported="requests")
    return sorted(graph.find_modules_directly_imported_by("depot.store")), illegal, chain


def contracts():
    result = CliRunner().invoke(lint_imports_command, ["--no-cache"])
    kept = [line.rsplit(" ", 1)[-1] for line in result.output.splitlines() if line.endswith(("KEPT", "BROKEN"))]
    names = [c["name"] for c in read_configuration("pyproject.toml")["contracts_options"]]
    return result.exit_code, dict(zip(names, kept))


def requirements(root):
    out = root / "deptry.json"
    result = CliRunner().invoke(deptry_cli, [".", "--json-output", str(out), "--no-ansi"])
    found = sorted((v["error"]["code"], v["module"]) for v in json.loads(out.read_text()))
    return result.exit_code, found


def dead(root):
    v = Vulture()
    v.scavenge([str(root / "depot")])
    return sorted((item.typ, item.name) for item in v.get_unused_code(min_confidence=60))


def rename(root):
    project = Project(str(root), ropefolder=None)
    resource = project.get_resource("depot/store/__init__.py")
    offset = resource.read().index("save(q)")
    changes = Rename(project, resource, offset).get_changes("persist")
    touched = sorted(r.path for r in changes.get_changed_resources())
    project.do(changes)
    project.close()
    return touched, (root / "depot/service/__init__.py").read_text().count("persist")


def main():
    root = Path(tempfile.mkdtemp())
    layout(root)
    os.chdir(root)
    sys.path.insert(0, str(root))
    direct, illegal, chain = imports()
    print("store imports", direct, "chain", chain)
    code, kept = contracts()
    print("contracts", code, kept)
    status, findings = requirements(root)
    print("deptry", status, findings)
    unused = dead(root)
    scores = {f.name: f.complexity for f in file_complexity(str(root / "depot/store/__init__.py")).functions}
    small = code_complexity("def f(x):\n    if x:\n        return 1\n").complexity
    touched, count = rename(root)
    assert illegal and kept["layers"] == "BROKEN" and kept["the store is alone"] == "KEPT", (illegal, kept)
    assert ("DEP001", "requests") in findings, findings
    print("OK", illegal, unused, scores, small, touched, count)


main()
