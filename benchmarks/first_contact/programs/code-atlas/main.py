"""An atlas of source code: tree-sitter queries in several languages, ast-grep rewrites, a call graph in rustworkx, a Rich tree."""
import io

import rustworkx as rx
import tree_sitter_javascript
import tree_sitter_rust
from ast_grep_py import SgRoot
from rich.console import Console
from rich.syntax import Syntax
from rich.tree import Tree
from tree_sitter import Language, Parser, Query, QueryCursor

JS = "function a() { b(); c(); }\nfunction b() { c(); console.log('x') }\nfunction c() {}\nfunction d() { a(); d(); }\n"
RUST = "fn main() { helper(1); }\nfn helper(n: u32) -> u32 { if n > 3 { n } else { helper(n + 1) } }\n"
PY = "def f(x):\n    print(x)\n    if x == None:\n        return print('none')\n"
CALLS = {
    "javascript": "(function_declaration name: (identifier) @def body: (_) @body)",
    "rust": "(function_item name: (identifier) @def body: (_) @body)",
}
INNER = {"javascript": "(call_expression function: (identifier) @call)", "rust": "(call_expression function: (identifier) @call)"}


def edges(lang, language, text):
    tree = Parser(language).parse(text.encode())
    assert not tree.root_node.has_error
    out = []
    for _, caps in QueryCursor(Query(language, CALLS[lang])).matches(tree.root_node):
        name = caps["def"][0].text.decode()
        inner = QueryCursor(Query(language, INNER[lang])).captures(caps["body"][0])
        out += [(name, n.text.decode()) for n in inner.get("call", [])]
    return out


def graph(pairs):
    g = rx.PyDiGraph()
    index = {}
    for a, b in pairs:
        for n in (a, b):
            if n not in index:
                index[n] = g.add_node(n)
        g.add_edge(index[a], index[b], 1)
    return g


def rewrite(text):
    root = SgRoot(text, "python").root()
    edits = [n.replace(f"{n['X'].text()} is None") for n in root.find_all(pattern="$X == None")]
    edits += [n.replace(f"log.info({n['A'].text()})") for n in root.find_all({"rule": {"pattern": "print($A)", "not": {"inside": {"kind": "return_statement", "stopBy": "end"}}}})]
    return root.commit_edits(edits)


def main():
    js = edges("javascript", Language(tree_sitter_javascript.language()), JS)
    rs = edges("rust", Language(tree_sitter_rust.language()), RUST)
    g = graph(js)
    cores = {g[n]: v for n, v in rx.pagerank(g).items()}
    top = max(cores, key=cores.get)
    g.remove_edge(*next((i, j) for i, j in g.edge_list() if i == j))
    order = [g[i] for i in rx.topological_sort(g)]
    pos = rx.spring_layout(g, seed=1)
    new = rewrite(PY)
    assert "log.info(x)" in new and "x is None" in new and "return print" in new, new
    tree = Tree("calls")
    for a, b in js:
        tree.add(f"{a} -> {b}")
    c = Console(file=io.StringIO(), width=60, force_terminal=True)
    c.print(tree)
    c.print(Syntax(RUST, "rust", theme="monokai", line_numbers=True))
    text = c.file.getvalue()
    print("OK", top, order, rs, len(pos), g.to_dot().count("->"), "38;" in text, rx.is_directed_acyclic_graph(g))


if __name__ == "__main__":
    main()
