"""The page of a verification in a real browser: its script runs, and what it is for works."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from rustext.model.findings import Finding, Severity
from rustext.model.libraries import FoundBy, Missing, Resolved
from rustext.model.verification import VerifyReport
from rustext.report.html import to_html

BUNDLE = Path("/dist/app")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def finding(name: str, severity: Severity) -> Finding:
        return Finding(id="missing-library", severity=severity, subject=name, message=f"`{name}`")

    report = VerifyReport(
        bundle=BUNDLE, freezer="nuitka", platform="linux-x86_64", target=None,
        findings=(
            finding("libgone.so.1", Severity.ERROR),
            finding("libother.so.2", Severity.ERROR),
            *(finding(f"note{n}", Severity.NOTE) for n in range(9)),
        ),
        libraries=(
            Resolved(soname="libx.so", path=BUNDLE / "libx.so", how=FoundBy.RPATH,
                     needed_by=BUNDLE / "app"),
            Missing(soname="libgone.so.1", searched=(), needed_by=BUNDLE / "libx.so"),
        ),
        extensions=(), modules=1,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(to_html(report), encoding="utf-8")
    return path


def chromium(*options: str) -> str:
    """What chromium writes; the sandbox of a browser wants a user other than root."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


def render(page: Path, search: str) -> str:
    """The document after the page's script has run."""
    return chromium("--dump-dom", f"{page.as_uri()}?search={search}")


def articles(document: str) -> dict[str, bool]:
    """The subject of each finding, and whether it is to be seen."""
    found = re.findall(r"<article( class=\"[^\"]*\")?>.*?<dd><code>([^<]*)<", document, re.DOTALL)
    return {subject: "hidden" not in attributes for attributes, subject in found}


def test_a_search_leaves_what_it_finds(page: Path) -> None:
    document = render(page, "libgone")
    seen = articles(document)
    assert len(seen) == 11
    assert [subject for subject, visible in seen.items() if visible] == ["libgone.so.1"]
    rows = re.findall(r"<tr([^>]*)><td><code>([^<]*)<", document)
    assert {name: "hidden" in attributes for attributes, name in rows} == {
        "libgone.so.1": False, "libx.so": True,
    }  # fmt: skip
    assert 'class="graph busy"' in document
    assert document.count("node missing on") == 1


def test_without_a_search_all_is_shown_and_long_lists_of_notes_are_folded(page: Path) -> None:
    document = render(page, "")
    assert all(articles(document).values())
    assert re.findall(r'<details class="(\w+)"( open="")?', document) == [
        ("error", ' open=""'), ("note", ""),
    ]  # fmt: skip


@pytest.mark.parametrize("size", ["1280,900", "390,844"], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["0", "1"], ids=["dark", "light"])
def test_the_page_is_painted(page: Path, size: str, scheme: str, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    chromium(
        f"--screenshot={picture}", f"--window-size={size}",
        f"--blink-settings=preferredColorScheme={scheme}", page.as_uri(),
    )  # fmt: skip
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000
