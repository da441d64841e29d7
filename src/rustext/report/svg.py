"""Draw a picture of libraries as SVG, for a page of HTML.

In: a `Picture`. Out: one `<svg>` element. It takes its colours from the page's style sheet; what a
node is can be seen from its outline as well. Names are escaped here.
"""

from __future__ import annotations

from html import escape

from rustext.report.escape import one_line
from rustext.report.library_graph import Node, Picture

_CHARACTER = 7.3  # pixels, in the page's 12px monospaced font
_LONGEST = 34  # characters of a label
_ROW, _HEIGHT, _GAP, _MARGIN = 32, 24, 90, 10


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
    nodes = (_node(number, picture.nodes[number], *places[number]) for number in sorted(places))
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


def _node(number: int, node: Node, x: float, y: float, width: float) -> str:
    title = escape("\n".join(one_line(file) for file in node.files))
    group = " several" if node.count > 1 else ""
    return (
        f'<g class="node {node.kind.value}{group}" data-node="{number}" tabindex="0">'
        f"<title>{title}</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width}" height="{_HEIGHT}" rx="4"/>'
        f'<text x="{x + 9:.1f}" y="{y + 16:.1f}">{escape(_short(node.label))}</text></g>'
    )
