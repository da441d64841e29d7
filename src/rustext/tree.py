"""Render the libraries of a native file: as a tree for a terminal, as a graph for Graphviz.

In: library graphs. Out: a `rich` tree, or text in the DOT language
(https://graphviz.org/doc/info/lang.html). Both show each request, how it was met, and for a missing
library every place that the loader would look at. The same graphs always give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path

from rich.console import Console
from rich.tree import Tree

from rustext.model import (
    Edge,
    ExtensionPlan,
    FoundBy,
    LibraryGraph,
    Missing,
    NeedKind,
    Resolved,
    Searched,
)
from rustext.report.escape import in_markup

_Children = Mapping[Path, Sequence[Edge]]


def print_libraries(console: Console, plans: Iterable[ExtensionPlan], *, dot: bool) -> None:
    """The libraries alone, of one native file or several."""
    if dot:
        graph = library_dot(plan.libraries for plan in plans)
        console.print(graph, markup=False, soft_wrap=True)
        return
    for plan in plans:
        title = f"[bold]{in_markup(plan.file.module or str(plan.file.path))}[/bold]"
        console.print(library_tree(plan.libraries, title), soft_wrap=True)


# --- tree -------------------------------------------------------------------------------------


def library_tree(graph: LibraryGraph, title: str) -> Tree:
    """The libraries under the files that ask for them.

    A library's own needs hang below the request that brought it into the process; to all others
    it is already loaded, and stands in one dim line without them.
    """
    tree = Tree(title, guide_style="dim")
    children: dict[Path, list[Edge]] = {}
    for edge in graph.edges:
        children.setdefault(edge.needed_by, []).append(edge)
    brought = {e.path for e in graph.edges if isinstance(e, Resolved) and not _is_again(e)}
    _grow(tree, children, graph.root, {graph.root}, brought)
    return tree


def _is_again(edge: Resolved) -> bool:
    return edge.how in {FoundBy.LOADED, FoundBy.SELF}


def _grow(
    tree: Tree, children: _Children, parent: Path, shown: set[Path], brought: Set[Path | None]
) -> None:
    """Add the edges of one file; depth is limited by the files, for each is entered once."""
    for edge in children.get(parent, ()):
        if isinstance(edge, Missing):
            colour = "yellow" if edge.kind is NeedKind.WEAK else "red"
            label = f"[{colour}]{in_markup(edge.soname)}[/{colour}]"
            branch = tree.add(f"{label} [bold {colour}]{_absence(edge)}[/bold {colour}]")
            for place in edge.searched:
                branch.add(f"[dim]{in_markup(_place(place))}[/dim]")
        elif _is_again(edge):
            own = edge.path is None or edge.path in brought or edge.how is FoundBy.SELF
            tree.add(f"[dim]{_found(edge)}{'' if own else f'  {in_markup(edge.path)}'}[/dim]")
        else:
            where = f"  [dim]{in_markup(edge.path)}[/dim]" if edge.path else ""
            branch = tree.add(f"{_found(edge)}{where}")
            if edge.path is not None and edge.path not in shown:
                shown.add(edge.path)
                _grow(branch, children, edge.path, shown, brought)


def _found(edge: Resolved) -> str:
    kind = "" if edge.kind is NeedKind.NORMAL else f", {edge.kind.value}"
    colour = "dim" if _is_again(edge) else "cyan"
    return f"{in_markup(edge.soname)} [{colour}]\\[{edge.how.value}{kind}][/{colour}]"


def _absence(edge: Missing) -> str:
    if edge.kind is NeedKind.WEAK:
        return "absent, and may be"
    return "missing" if edge.searched else "missing: no folder is searched for it"


def _place(place: Searched) -> str:
    why = f": {place.rejected}" if place.rejected else ""
    return f"searched {place.path} ({place.how.value}){why}"


# --- DOT --------------------------------------------------------------------------------------


def library_dot(graphs: Iterable[LibraryGraph]) -> str:
    """One directed graph of all files: `rustext inspect … --format dot | dot -Tsvg`.

    A file is one node however often it is needed, and so is a missing name; a dashed line is a
    request that may stay unmet, or that is met late.
    """
    numbers: dict[str, int] = {}  # paths may name a temporary folder, so they are no identifiers
    nodes: dict[str, str] = {}
    lines: dict[str, None] = {}

    def node(name: str, attributes: str) -> str:
        number = f"n{numbers.setdefault(name, len(numbers))}"
        nodes.setdefault(number, attributes)
        return number

    for graph in graphs:
        node(str(graph.root), _node(graph.root.name, "penwidth=2"))
        for edge in graph.edges:
            source = node(str(edge.needed_by), _node(edge.needed_by.name))
            target = node(_target(edge), _target_node(edge))
            lines[f"  {source} -> {target} [{_arrow(edge)}];"] = None
    head = ("digraph libraries {", "  rankdir=LR;", "  node [shape=box, fontname=sans];")
    body = (f"  {number} [{attributes}];" for number, attributes in nodes.items())
    return "\n".join((*head, *body, *lines, "}"))


def _target(edge: Edge) -> str:
    return str(edge.path) if isinstance(edge, Resolved) and edge.path else edge.soname


def _target_node(edge: Edge) -> str:
    if isinstance(edge, Missing):
        colour = "orange" if edge.kind is NeedKind.WEAK else "red"
        return _node(edge.soname, f"color={colour}, fontcolor={colour}, style=dashed")
    if edge.path is None:
        return _node(edge.soname, "style=rounded")
    return _node(edge.path.name)


def _node(label: str, attributes: str = "") -> str:
    return f"label={_quoted(label)}" + (f", {attributes}" if attributes else "")


def _arrow(edge: Edge) -> str:
    label = "missing" if isinstance(edge, Missing) else edge.how.value
    late = edge.kind in {NeedKind.WEAK, NeedKind.LAZY}
    return f"label={_quoted(label)}" + (", style=dashed" if late else "")


def _quoted(text: str) -> str:
    """A quoted string of the DOT language, in which only quotes and escapes mean something."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
