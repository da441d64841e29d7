"""Figures of code: Radon's complexity, patterns by ast-grep, a graph of imports by rustworkx, imports sorted by isort, docstrings parsed, a page from Mako, highlighted by Pygments."""
import ast
import json
import tempfile
from pathlib import Path

import docstring_parser
import isort
import rustworkx as rx
import yaml
from ast_grep_py import SgRoot
from mako.lookup import TemplateLookup
from pydantic import BaseModel
from pygments import highlight
from pygments.formatters import get_formatter_by_name
from pygments.lexers import get_lexer_by_name
from radon.complexity import cc_rank, cc_visit
from radon.metrics import mi_visit
from radon.raw import analyze

SOURCES = {
    "a": 'import os\nimport b\n\ndef f(x):\n    """Say.\n\n    :param x: what\n    :returns: it\n    """\n    if x and os.sep:\n        print(x)\n    return x\n',
    "b": "import sys\nimport c\nfrom os import path\n\ndef g():\n    for i in range(3):\n        print(i)\n",
    "c": "X = 1\n",
}


class Figure(BaseModel):
    name: str
    complexity: int
    rank: str


def main():
    graph = rx.PyDiGraph()
    index = {name: graph.add_node(name) for name in SOURCES}
    figures = []
    for name, text in SOURCES.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                graph.add_edges_from([(index[name], index[a.name], None) for a in node.names if a.name in index])
        figures += [Figure(name=f.name, complexity=f.complexity, rank=cc_rank(f.complexity)) for f in cc_visit(text)]
    order = [graph[i] for i in rx.topological_sort(graph)]
    calls = len(SgRoot(SOURCES["a"] + SOURCES["b"], "python").root().find_all(pattern="print($A)"))
    tidy = isort.code(SOURCES["b"], profile="black")
    doc = docstring_parser.parse(ast.get_docstring(ast.parse(SOURCES["a"]).body[2]))
    d = Path(tempfile.mkdtemp())
    (d / "page.html").write_text("<%! import json %>% for f in figures:\n${f.name|h} ${f.rank}\n% endfor\n".replace("%>%", "%>\n%"))
    page = TemplateLookup([str(d)], module_directory=str(d / "m")).get_template("page.html").render(figures=figures)
    html = highlight(tidy, get_lexer_by_name("python"), get_formatter_by_name("html", style="monokai"))
    said = yaml.safe_dump(json.loads(json.dumps([f.model_dump() for f in figures])))
    print("OK", order, calls, round(mi_visit(SOURCES["a"], True)), analyze(SOURCES["b"]).loc, tidy.splitlines()[0], doc.params[0].description, page.split(), html.count("span"), said.count("rank"))


main()
