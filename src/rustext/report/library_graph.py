"""Lay out the libraries of a bundle as a graph, and draw it as SVG for a page of HTML.

In: a `VerifyReport`. Out: a `Picture`: nodes in columns, from the files that nothing needs on the
left to the libraries that need nothing on the right. Three things keep it readable for bundles with
hundreds of files: what the system is sure to have is left out, a library under several paths is one
node, and so are modules of one folder that need the same libraries.

The order within a column is the barycentre heuristic of Sugiyama, Tagawa and Toda (Methods for
Visual Understanding of Hierarchical System Structures, 1981).
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from html import escape
from pathlib import Path

from rustext.model.libraries import Edge, Resolved
from rustext.model.verification import VerifyReport
from rustext.report.escape import one_line

_SWEEPS = 6
_MOST_NODES = 400
_CHARACTER = 7.3  # pixels, in the page's 12px monospaced font
_LONGEST = 34  # characters of a label
_ROW, _HEIGHT, _GAP, _MARGIN = 32, 24, 90, 10


class NodeKind(Enum):
    """The kind of a node."""

    FILE = "file"  # of the bundle
    HOST = "host"  # a library outside of the bundle, which the report finds fault with
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A file, a missing name, or several files that need the same."""

    label: str
    kind: NodeKind
    files: tuple[str, ...]  # relative to the bundle, or absolute; all places of a library
    count: int  # of files that are grouped


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Columns of nodes, by their numbers, and the arrows between them.

    `system` are the names that were left out; `alone` counts the files that need nothing else.
    """

    nodes: tuple[Node, ...]
    columns: tuple[tuple[int, ...], ...]
    arrows: tuple[tuple[int, int], ...]
    system: tuple[str, ...]
    alone: int
    left_out: int  # nodes beyond the number that can be looked at


def draw_picture(report: VerifyReport) -> Picture:
    """The picture of a report's libraries."""
    graph = _Graph(report)
    groups = _group(graph.needs, graph.files)
    shown = sorted(groups, key=lambda names: (graph.kinds[names[0]] is NodeKind.FILE, names))
    kept = sorted(shown[:_MOST_NODES])
    nodes = tuple(_node(names, graph) for names in kept)
    numbers = {name: number for number, names in enumerate(kept) for name in names}
    arrows = sorted(
        {
            (numbers[source], numbers[target])
            for source, targets in graph.needs.items()
            for target in targets
            if source in numbers and target in numbers
        }
    )
    return Picture(
        nodes=nodes,
        columns=_order(_columns(len(nodes), arrows), arrows),
        arrows=tuple(arrows),
        system=tuple(sorted(graph.system)),
        alone=len(graph.kinds) - sum(map(len, shown)),
        left_out=len(shown) - len(kept),
    )


class _Graph:
    """What needs what, by names: a path, or for a library the name by which it is asked for.

    A library that lies in a bundle twice, or is reached through a link, is one to the loader.
    """

    def __init__(self, report: VerifyReport) -> None:
        self.bundle = report.bundle
        self.faults = {
            f.subject for f in report.findings if f.id in {"host-library", "missing-library"}
        }
        self.needs: dict[str, set[str]] = defaultdict(set)
        self.files: dict[str, set[str]] = defaultdict(set)
        self.kinds: dict[str, NodeKind] = {}
        self.system: set[str] = set()
        paths = (edge.path for edge in report.libraries if isinstance(edge, Resolved))
        self.libraries = {path.name for path in paths if path is not None}
        for edge in report.libraries:
            if self._inside(edge.needed_by) is not None:  # others are news about the host
                self._add(edge)

    def _add(self, edge: Edge) -> None:
        source = self._enter(edge.needed_by, NodeKind.FILE)
        if isinstance(edge, Resolved) and edge.path is not None and self._inside(edge.path):
            target = self._enter(edge.path, NodeKind.FILE)
        elif edge.soname not in self.faults:
            self.system.add(edge.soname)
            return
        elif isinstance(edge, Resolved) and edge.path is not None:
            target = self._enter(edge.path, NodeKind.HOST)
        else:
            target = self._enter(Path(edge.soname), NodeKind.MISSING)
        if target != source:
            self.needs[source].add(target)

    def _enter(self, path: Path, kind: NodeKind) -> str:
        place = self._inside(path) or str(path)
        name = path.name if path.name in self.libraries else place
        self.kinds.setdefault(name, kind)
        self.files[name].add(place)
        return name

    def _inside(self, path: Path) -> str | None:
        """The path in the bundle; None for one outside."""
        plain = Path(os.path.normpath(path))  # no links: nothing is read here
        return (
            plain.relative_to(self.bundle).as_posix() if plain.is_relative_to(self.bundle) else None
        )


def _group(needs: Mapping[str, set[str]], files: Mapping[str, set[str]]) -> list[tuple[str, ...]]:
    """Files that nothing needs, of one folder and with the same needs, together; others alone."""
    needed = {target for targets in needs.values() for target in targets}
    groups: dict[object, list[str]] = defaultdict(list)
    for source, targets in needs.items():
        key = source if source in needed else (_folder(min(files[source])), tuple(sorted(targets)))
        groups[key].append(source)
    alone = [(name,) for name in needed if name not in needs]
    return [*alone, *(tuple(sorted(names)) for names in groups.values())]


def _folder(file: str) -> tuple[str, ...]:
    """The folder at the top of a bundle, or of its contents folder, that a file belongs to."""
    return Path(file).parts[:-1][:2]


def _node(names: Sequence[str], graph: _Graph) -> Node:
    files = sorted(file for name in names for file in graph.files[name])
    label = Path(names[0]).name
    if len(names) > 1:
        label = f"{len(names)} files in {'/'.join(_folder(files[0])[-1:]) or 'the bundle'}"
    return Node(label=label, kind=graph.kinds[names[0]], files=tuple(files), count=len(names))


# --- columns ----------------------------------------------------------------------------------


def _columns(count: int, arrows: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Each node one column right of the last that leads to it; a circle is cut where it is met."""
    after: dict[int, list[int]] = defaultdict(list)
    waiting = dict.fromkeys(range(count), 0)
    for source, target in arrows:
        after[source].append(target)
        waiting[target] += 1
    column = dict.fromkeys(range(count), 0)
    while waiting:
        free = [n for n, open_arrows in waiting.items() if open_arrows == 0] or [min(waiting)]
        for number in free:
            del waiting[number]
        for number in free:
            for target in after[number]:
                if target in waiting:
                    waiting[target] -= 1
                    column[target] = max(column[target], column[number] + 1)
    columns: list[list[int]] = [[] for _ in range(max(column.values(), default=-1) + 1)]
    for number, place in column.items():
        columns[place].append(number)
    return columns


def _order(
    columns: list[list[int]], arrows: Iterable[tuple[int, int]]
) -> tuple[tuple[int, ...], ...]:
    """Move each node to the mean height of its neighbours, forth and back, to untangle arrows."""
    near: dict[int, list[int]] = defaultdict(list)
    for source, target in arrows:
        near[source].append(target)
        near[target].append(source)
    place = {n: (row + 0.5) / len(column) for column in columns for row, n in enumerate(column)}
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            mean = {n: sum(place[o] for o in near[n]) / len(near[n]) for n in column if near[n]}
            column.sort(key=lambda n: (mean.get(n, place[n]), n))
            place.update({n: (row + 0.5) / len(column) for row, n in enumerate(column)})
    return tuple(map(tuple, columns))


# --- SVG --------------------------------------------------------------------------------------


def draw_svg(picture: Picture) -> str:
    """The picture at its natural size: the page scrolls, and the names stay readable."""
    tallest = max((len(column) for column in picture.columns), default=0)
    places: dict[int, tuple[float, float, float]] = {}
    left: float = _MARGIN
    for column in picture.columns:
        widths = {n: _width(picture.nodes[n]) for n in column}
        top = _MARGIN + (tallest - len(column)) * _ROW / 2
        for row, number in enumerate(column):
            places[number] = (left, top + row * _ROW, widths[number])
        left += max(widths.values()) + _GAP
    width, height = left - _GAP + _MARGIN, tallest * _ROW + 2 * _MARGIN
    arrows = (_arrow(source, target, places) for source, target in picture.arrows)
    nodes = (
        _draw_node(number, picture.nodes[number], *places[number]) for number in sorted(places)
    )
    start = (
        f'<svg class="graph" role="img" aria-label="the libraries of the bundle" '
        f'width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}">'
    )
    return "\n".join((start, *arrows, *nodes, "</svg>"))


def _width(node: Node) -> float:
    return round(len(_short(node.label)) * _CHARACTER + 18, 1)


def _short(label: str) -> str:
    """A label with its middle left out if it is long: both ends of a library's name matter."""
    label = one_line(label)
    start, end = _LONGEST * 2 // 3, _LONGEST // 3 - 1
    return label if len(label) <= _LONGEST else f"{label[:start]}…{label[-end:]}"


def _arrow(source: int, target: int, places: dict[int, tuple[float, float, float]]) -> str:
    (x1, y1, width), (x2, y2, _) = places[source], places[target]
    x1, y1, y2 = x1 + width, y1 + _HEIGHT / 2, y2 + _HEIGHT / 2
    bend = max(abs(x2 - x1) / 2, 30)
    path = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    return f'<path d="{path}" data-from="{source}" data-to="{target}"/>'


def _draw_node(number: int, node: Node, x: float, y: float, width: float) -> str:
    title = escape("\n".join(one_line(file) for file in node.files))
    group = " several" if node.count > 1 else ""
    return (
        f'<g class="node {node.kind.value}{group}" data-node="{number}" tabindex="0">'
        f"<title>{title}</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width}" height="{_HEIGHT}" rx="4"/>'
        f'<text x="{x + 9:.1f}" y="{y + 16:.1f}">{escape(_short(node.label))}</text></g>'
    )
