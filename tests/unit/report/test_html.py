"""The page of a verification: whole, safe, and the same each time; its picture of the libraries."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from environments import write_files

from rustext.environment.environment import stdlib_environment
from rustext.model.findings import Finding, Severity
from rustext.model.libraries import Edge, FoundBy, Missing, Resolved
from rustext.model.verification import IsolatedRun, PartSize, VerifyReport
from rustext.report.html import to_html
from rustext.report.library_graph import NodeKind, Picture, draw_picture, draw_svg
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.facts.native.sizes import measure_parts
from rustext.verify.verify import read_subject, verify

BUNDLE = Path("/dist/app")
VOID = {"meta", "input", "rect", "path", "br", "link"}
HOSTILE = (
    "</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&\n\x1b[31m\udcff\u202e"
)


def a_report(
    *edges: Edge, findings: Iterable[Finding] = (), sizes: Iterable[PartSize] = ()
) -> VerifyReport:
    return VerifyReport(
        bundle=BUNDLE, freezer="nuitka", platform="linux-x86_64", target=None,
        findings=tuple(findings), libraries=edges, extensions=(), modules=7, sizes=tuple(sizes),
    )  # fmt: skip


def found(source: str, target: str, how: FoundBy = FoundBy.RPATH) -> Resolved:
    path = Path(target) if target.startswith("/") else BUNDLE / target
    return Resolved(soname=path.name, path=path, how=how, needed_by=BUNDLE / source)


def a_finding(severity: Severity, name: str, subject: str, message: str = "m") -> Finding:
    return Finding(id=name, severity=severity, subject=subject, message=message)


class Page(HTMLParser):
    """What a page holds; fails on elements that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


# --- the page ---------------------------------------------------------------------------------


def full_report(name: str) -> VerifyReport:
    evidence = ((name, name),)
    finding = Finding(
        id="missing-library", severity=Severity.ERROR, subject=name, message=name,
        evidence=evidence, hint=name,
    )  # fmt: skip
    return VerifyReport(
        bundle=Path("/dist") / name.replace("/", "|"), freezer=name, platform=name, target=name,
        findings=(finding,), extensions=(), modules=0,
        libraries=(
            Missing(soname=name, searched=(), needed_by=Path("/dist") / name.replace("/", "|")),
            found("a", "b"),
        ),
        run=IsolatedRun(code=0, stdout="", stderr="", hidden=(Path("/" + name),), libraries=()),
        sizes=(PartSize(name=name, size=1, files=1, largest=((name, 1),)),),
    )  # fmt: skip


def test_no_name_reaches_the_page_as_markup() -> None:
    page = Page(to_html(full_report(HOSTILE)))
    plain = Page(to_html(full_report("p" * 60)))
    found, expected = (sorted((t, *sorted(a)) for t, a in p.elements) for p in (page, plain))
    assert found == expected
    text = to_html(full_report(HOSTILE))
    text.encode("utf-8")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)


def test_a_page_loads_nothing_and_runs_its_own_script_alone() -> None:
    text = to_html(full_report("plain"))
    page = Page(text)
    for tag, attributes in page.elements:
        assert not {"src", "srcset", "style", "onclick", "onload"} & set(attributes), (tag,)
        assert tag not in {"link", "iframe", "object", "embed", "base", "form", "img"}
    (policy,) = (a["content"] for t, a in page.elements if "http-equiv" in a)
    assert policy is not None
    for element, directive in (("script", "script-src"), ("style", "style-src")):
        (body,) = re.findall(f"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
        assert "url(" not in body
        assert "@import" not in body
        assert "fetch(" not in body
    assert policy.startswith("default-src 'none';")


def test_a_page_says_what_the_report_says() -> None:
    findings = [
        a_finding(Severity.ERROR, "missing-library", "libx.so.1", "`libx.so.1` is gone"),
        a_finding(Severity.NOTE, "missing-import", "n"),
    ]
    page = Page(to_html(a_report(findings=findings)))
    text = " ".join(" ".join(page.texts).split())
    for words in ("does not stand alone", "1 error", "0 warnings", "1 note", "libx.so.1 is gone",
                  "about missing-library", "The loader finds a needed library"):  # fmt: skip
        assert words in text, words
    links = [a["href"] for t, a in page.elements if t == "a"]
    assert "https://rustext.readthedocs.io/en/latest/findings/missing-library.html" in links
    clean = " ".join(Page(to_html(a_report())).texts)
    assert "No findings." in clean
    assert "does not" not in clean


def test_links_within_the_page_lead_somewhere() -> None:
    page = Page(to_html(full_report("plain")))
    ids = {a["id"] for _, a in page.elements if "id" in a}
    for tag, attributes in page.elements:
        if tag == "a" and (attributes["href"] or "").startswith("#"):
            assert (attributes["href"] or "")[1:] in ids


def test_the_same_report_gives_the_same_bytes() -> None:
    edges = [found(f"m{n}.so", f"lib{n % 7}.so") for n in range(50)]
    assert to_html(a_report(*edges)) == to_html(a_report(*edges))
    assert draw_picture(a_report(*edges)) == draw_picture(a_report(*reversed(edges)))


# --- the picture ------------------------------------------------------------------------------


def labels(picture: Picture) -> list[list[str]]:
    return [sorted(picture.nodes[n].label for n in column) for column in picture.columns]


def test_a_library_stands_right_of_all_that_need_it() -> None:
    edges = (found("app", "liba.so"), found("liba.so", "libb.so"), found("app", "libb.so"))
    picture = draw_picture(a_report(*edges))
    assert labels(picture) == [["app"], ["liba.so"], ["libb.so"]]
    assert len(picture.arrows) == 3


def test_libraries_that_need_each_other_do_not_hang() -> None:
    edges = (found("app", "liba.so"), found("liba.so", "libb.so"), found("libb.so", "liba.so"))
    picture = draw_picture(a_report(*edges))
    assert sorted(node.label for node in picture.nodes) == ["app", "liba.so", "libb.so"]
    assert "</svg>" in draw_svg(picture)


def test_modules_of_one_folder_that_need_the_same_are_one_node() -> None:
    edges = [found(f"lib/pkg/m{n}.so", "libx.so") for n in range(30)]
    edges.append(found("lib/other/m.so", "libx.so"))
    picture = draw_picture(a_report(*edges))
    assert labels(picture) == [["30 files in pkg", "m.so"], ["libx.so"]]
    (group,) = (node for node in picture.nodes if node.count == 30)
    assert group.files[0] == "lib/pkg/m0.so"


def test_a_library_under_two_paths_is_one_node() -> None:
    edges = (found("a.so", "x/../libs/libx.so.1"), found("b/c.so", "libx.so.1"))
    picture = draw_picture(a_report(*edges))
    assert labels(picture) == [["a.so", "c.so"], ["libx.so.1"]]


def test_the_systems_libraries_are_named_and_not_drawn() -> None:
    edges = (found("app", "/lib/libc.so.6", FoundBy.CACHE), found("m.so", "/lib/libc.so.6"))
    picture = draw_picture(a_report(*edges))
    assert (picture.nodes, picture.system, picture.alone) == ((), ("libc.so.6",), 2)


def test_what_is_missing_or_taken_from_the_host_is_drawn_as_such() -> None:
    edges = (
        found("app", "/usr/lib/libodd.so.1", FoundBy.CACHE),
        Missing(soname="libgone.so.1", searched=(), needed_by=BUNDLE / "app"),
        Missing(soname="libmaybe.so.1", searched=(), needed_by=BUNDLE / "app"),
    )
    findings = [
        a_finding(Severity.ERROR, "host-library", "libodd.so.1"),
        a_finding(Severity.ERROR, "missing-library", "libgone.so.1"),
    ]
    picture = draw_picture(a_report(*edges, findings=findings))
    assert {node.label: node.kind for node in picture.nodes} == {
        "app": NodeKind.FILE, "libodd.so.1": NodeKind.HOST, "libgone.so.1": NodeKind.MISSING,
    }  # fmt: skip


@pytest.mark.parametrize("count", [3, 150, 3000])
def test_nodes_do_not_overlap_and_a_picture_has_an_end(count: int) -> None:
    edges = [found(f"f{n}/m{n}.so", f"lib{n}.so") for n in range(count // 2)]
    edges += [found(f"lib{n}.so", f"lib{n + 1}.so") for n in range(0, count // 2 - 1, 2)]
    picture = draw_picture(a_report(*edges))
    assert len(picture.nodes) == min(2 * (count // 2), 400) or count == 3
    assert picture.left_out == max(0, 2 * (count // 2) - 400)
    boxes = [
        tuple(map(float, box))
        for box in re.findall(
            r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="(\d+)"', draw_svg(picture)
        )
    ]
    assert len(boxes) == len(picture.nodes)
    columns: dict[float, list[float]] = {}
    for x, y, _, _ in boxes:
        columns.setdefault(x, []).append(y)
    rights = {x: max(x + w for x2, _, w, _ in boxes if x2 == x) for x in columns}
    ordered = sorted(columns)
    assert all(rights[a] < b for a, b in pairwise(ordered))
    for heights in columns.values():
        heights.sort()
        assert all(b - a >= 24 for a, b in pairwise(heights))


# --- sizes ------------------------------------------------------------------------------------


def test_sizes_are_those_of_the_files_and_links_take_no_room(
    tmp_path: Path, elf_module: Path
) -> None:
    files: dict[str, str | bytes | Path] = {
        "pkg/m.so": elf_module, "pkg/data.bin": b"x" * 5000, "top.txt": "hello",
    }  # fmt: skip
    write_files(tmp_path / "app", files)
    (tmp_path / "app" / "link.bin").symlink_to("pkg/data.bin")
    bundle = read_bundle(tmp_path / "app")
    parts = {part.name: part for part in measure_parts(bundle)}
    size = elf_module.stat().st_size
    assert (parts["pkg"].size, parts["pkg"].files) == (size + 5000, 2)
    assert (parts["top.txt"].size, parts["top.txt"].files) == (5, 1)
    assert set(parts) == {"pkg", "top.txt"}
    assert parts["pkg"].largest == (("pkg/m.so", size), ("pkg/data.bin", 5000))
    assert [part.size for part in parts.values()] == sorted(
        (part.size for part in parts.values()), reverse=True
    )
    report = verify(read_subject(bundle, stdlib=stdlib_environment()))
    assert report.sizes == ()


def test_small_parts_are_one(tmp_path: Path, elf_module: Path) -> None:
    files: dict[str, str | bytes | Path] = {f"f{n}.txt": "x" * (n + 1) for n in range(99)}
    write_files(tmp_path / "app", {**files, "m.so": elf_module})
    parts = measure_parts(read_bundle(tmp_path / "app"))
    assert len(parts) == 61
    assert parts[-1].name == ""
    assert sum(part.files for part in parts) == 100
    assert sum(part.size for part in parts) == elf_module.stat().st_size + 99 * 100 // 2
