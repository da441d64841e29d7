"""Several bundles in one call, archives, and which findings decide the exit code."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import venv
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import PyInstaller
import pytest
from archives import archive, pyz
from compiling import Compile

from rustext.cli.arguments.options import FORMATS as REPORTS
from rustext.cli.main import run


@pytest.fixture
def dist(tmp_path: Path, gcc: Compile, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`dist/good`, which stands alone, and `dist/bad`, whose loader finds no `libgone.so.1`."""
    monkeypatch.chdir(tmp_path)
    gone = gcc("libgone.so", "int g(void) { return 0; }", "-shared", "-fPIC",
               "-Wl,-soname,libgone.so.1")  # fmt: skip
    good = gcc("good", "int main(void) { return 0; }")
    bad = gcc("bad", "int g(void); int main(void) { return g(); }", str(gone))
    for name, program in (("good", good), ("bad", bad)):
        (tmp_path / "dist" / name / "_internal").mkdir(parents=True)
        shutil.copy2(program, tmp_path / "dist" / name / name)
    return tmp_path / "dist"


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def verify(*words: str | Path) -> tuple[int, str, str]:
        code = run(["verify", *map(str, words)])
        return code, *capfd.readouterr()

    return verify


Said = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("order", [("good", "bad"), ("bad", "good")])
def test_the_worst_of_several_bundles_decides(
    order: tuple[str, ...], dist: Path, said: Said
) -> None:
    code, out, _ = said(*(dist / name for name in order))
    assert code == 1
    assert out.index(f"{order[0]} (") < out.index(f"{order[1]} (")
    assert out.endswith("2 bundles: 1 without an error, 1 with errors\n")
    assert said(dist / "good", dist / "good")[0] == 0


def _folder(path: Path, content: bytes) -> None:
    path.mkdir()
    (path / "file").write_bytes(content)


def _object_file(path: Path) -> None:
    """A folder as Nuitka leaves it next to its output."""
    path.mkdir()
    command = ["gcc", "-c", "-x", "c", "/dev/null", "-o", path / "module.o"]
    subprocess.run(command, check=True, timeout=60)


def _giant(path: Path) -> None:
    """A program of which a quarter of a terabyte has never been written."""
    shutil.copy2(BOOTLOADER, path)
    os.truncate(path, 1 << 38)


def _source_archive(path: Path) -> None:
    path.write_bytes(tar_with(tarfile.TarInfo("setup.py")))


def _executable(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o755)


STRAYS: dict[str, Callable[[Path], object]] = {
    "README": lambda path: path.write_text("read me"),
    "checksums.txt": lambda path: path.write_text(f"{64 * '0'}  app.zip"),
    ".DS_Store": lambda path: path.write_bytes(b"\0\0\0\1Bud1" + bytes(100)),
    "run.sh": lambda path: _executable(path, b"#!/bin/sh"),
    "app.dmg": lambda path: path.write_bytes(bytes(2048) + b"koly" + bytes(508)),
    "app.msi": lambda path: path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512)),
    "docs": lambda path: _folder(path, b"<html>"),
    "app.build": _object_file,
    "app.tar": _source_archive,
    "tool": lambda path: shutil.copy2(shutil.which("true") or "", path),
}
BROKEN: dict[str, Callable[[Path], object]] = {
    "gone": lambda _: None,
    "app.exe": lambda path: path.write_bytes(b""),
    "app": lambda path: _executable(path, bytes(100)),
    "empty": lambda path: path.mkdir(),
    "closed": lambda path: path.mkdir(mode=0),
    "app.zip": lambda path: path.write_bytes(b"PK\3\4" + bytes(100)),
    "lib.so": lambda path: shutil.copy2("good.so", path),
    "one": lambda path: shutil.copy2(BOOTLOADER, path),
    "giant": _giant,
}
# PyInstaller's own, which a program is that has lost its end on the way.
BOOTLOADER = next((Path(PyInstaller.__file__).parent / "bootloader").glob("*/run"))


@pytest.mark.parametrize("name", STRAYS)
def test_what_is_no_bundle_is_said_and_counted_and_fails_no_gate(
    name: str, dist: Path, said: Said
) -> None:
    stray = dist / name
    STRAYS[name](stray)
    code, out, err = said(stray, dist / "good")
    assert (code, err) == (0, "")
    *_, line, last = out.splitlines()
    assert line.startswith(f"not judged: {stray} ")
    assert last == "1 bundle: 1 without an error; 1 other path not judged"
    assert said(stray, dist / "bad")[0] == 1
    for words in ((stray,), (stray, stray)):  # nothing was judged
        code, _, err = said(*words)
        assert code == 2
        assert err.startswith(f"error: {stray} ")


@pytest.mark.parametrize("name", BROKEN)
def test_what_may_have_been_a_bundle_fails_the_gate_and_leaves_the_others_their_verdict(
    name: str, dist: Path, gcc: Compile, said: Said
) -> None:
    shutil.copy2(gcc("good.so", "int x;", "-shared"), "good.so")
    BROKEN[name](dist / name)
    code, out, err = said(dist / name, dist / "bad", "--json", dist / "good")
    assert code == 2
    assert err.startswith(f"error: {dist / name} ")
    document = json.loads(out)
    assert [Path(r["bundle"]).name for r in document["reports"]] == ["bad", "good"]
    assert [f["bundle"] for f in document["failures"]] == [str(dist / name)]
    assert (document["ok"], document["skipped"]) == (False, [])


@pytest.mark.parametrize("kind", REPORTS)
def test_each_format_names_what_was_not_judged(kind: str, dist: Path, said: Said) -> None:
    (dist / "notes.txt").write_text("no program")
    _, out, _ = said(dist / "good", dist / "notes.txt", "--format", kind)
    assert "notes.txt" in out
    assert "no program that a freezer made" in out
    _, alone, _ = said(dist / "good", "--format", kind)
    assert "notes.txt" not in alone


@pytest.mark.parametrize("kind", [kind for kind in REPORTS if kind != "gitlab"])
def test_bundles_of_one_name_are_told_apart(kind: str, dist: Path, said: Said) -> None:
    """GitLab has the place of a finding alone, which is a file."""
    archive = shutil.make_archive("bad", "gztar", dist, "bad")
    _, out, _ = said(dist / "bad", archive, dist / "good", "--format", kind)
    assert "dist/bad" in out
    assert "bad.tar.gz/bad" in out
    assert "dist/good" not in out or kind == "json"


def test_what_is_often_named_in_place_of_a_bundle_is_told(dist: Path, said: Said) -> None:
    """`Analysis-00.toc` is what PyInstaller writes first into `--workpath`, one a spec file."""
    venv.create("venv")
    for name in ("one", "two"):
        Path("build", name).mkdir(parents=True)
        shutil.copy2(dist / "good/good", f"build/{name}/{name}")
        Path("build", name, "Analysis-00.toc").touch()
    for path, start in (
        ("venv", "venv is a virtual environment"),
        ("build/one", "build/one is the folder that PyInstaller works in"),
        ("build", "build/one is the folder that PyInstaller works in"),
    ):
        code, _, err = said(path)
        assert code == 2
        assert err.startswith(f"error: {start}, not a bundle\nhint: ")
    assert said("build/one", dist / "good")[0] == 0
    code, _, err = said(dist / "good", "--run", "word")
    assert (code, err.splitlines()[1]) == (2, "hint: words for the program come behind `--`")


def test_messages_name_what_the_user_has_named(dist: Path, said: Said) -> None:
    (dist / "notes.txt").write_text("no program")
    (dist / "docs").mkdir()
    for name in ("notes.txt", "docs", "../dist/docs"):
        assert said(f"dist/{name}")[2].startswith(f"error: dist/{name} ")


def test_a_folder_of_builds_stands_for_each_of_them(dist: Path, gcc: Compile, said: Said) -> None:
    one = dist / "one"
    program = gcc("app", "int main(void) { return 0; }").read_bytes()
    python = gcc("libpython3.11.so", "int Py_Main;", "-shared", "-fPIC").read_bytes()
    members = [
        (b"z", "PYZ.pyz", pyz([("m", (0, 0, 0))])),
        (b"b", "libpython3.11.so", python),
    ]
    one.write_bytes(program + archive(members))
    (dist / "README.txt").write_text("read me")
    _, out, _ = said(dist, "--json")
    found = [Path(r["bundle"]).name for r in json.loads(out)["reports"]]
    assert found == ["bad", "good", "one"]
    (dist / "cut").write_bytes(BOOTLOADER.read_bytes())
    assert said(dist, "-q")[2].startswith(f"error: {dist / 'cut'} is damaged: ")


def test_the_folder_of_a_project_stands_for_what_is_in_its_dist(dist: Path, said: Said) -> None:
    project = dist.parent
    (project / "app.py").write_text("print('frozen')")
    (project / "build").mkdir()
    assert said(project) == said(dist)
    shutil.rmtree(dist)
    code, _, err = said(project / "build")
    assert (code, "holds no program" in err) == (2, True)


def test_a_damaged_program_next_to_a_whole_one_is_not_overlooked(
    tmp_path: Path, gcc: Compile, said: Said
) -> None:
    python = gcc("libpython3.11.so", "int Py_Main;", "-shared", "-fPIC").read_bytes()
    members = [(b"z", "PYZ.pyz", pyz([("m", (0, 0, 0))])), (b"b", "libpython3.11.so", python)]
    program = BOOTLOADER.read_bytes() + archive(members)
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "a").write_bytes(program)
    (tmp_path / "dist" / "b").write_bytes(program[:-50])
    code, out, err = said(tmp_path / "dist", "--json")
    assert [Path(r["bundle"]).name for r in json.loads(out)["reports"]] == ["a"]
    assert code == 2
    assert err.startswith(f"error: {tmp_path / 'dist/b'} is damaged: ")


FORMATS = {
    "a.zip": "zip", "a.tar": "tar", "a.tar.gz": "gztar", "a.tar.bz2": "bztar", "a.tar.xz": "xztar",
    "a-1-py3-none-any.whl": "zip",
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("bundle", ["good", "bad"])
def test_an_archive_has_the_verdict_of_the_folder_that_was_packed(
    name: str, bundle: str, dist: Path, tmp_path: Path, said: Said
) -> None:
    made = shutil.make_archive(str(tmp_path / "made"), FORMATS[name], dist, bundle)
    packed = Path(made).rename(tmp_path / name)
    options = ("--json", "--run") if bundle == "good" else ("--json",)  # runs: modes are restored
    code, out, _ = said(packed, *options)
    document = json.loads(out)
    plain_code, plain, _ = said(dist / bundle, *options)
    assert (code, document["findings"]) == (plain_code, json.loads(plain)["findings"])
    assert document["bundle"] == str(packed / bundle)
    assert "rustext-archive-" not in out


def tar_with(member: tarfile.TarInfo, content: bytes = b"") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def hard_link(target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo("link")
    info.type, info.linkname = tarfile.LNKTYPE, target
    return info


def giant_header() -> bytes:
    """An extended header that claims 8 GiB, as `tarfile` would read into memory at once."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 32
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (tar_with(tarfile.TarInfo("../out")), "leads out of it"),
        (tar_with(hard_link("/etc/passwd")), "a link to a missing file"),
        (tar_with(hard_link("link")), "a link to a missing file"),
        (tar_with(tarfile.TarInfo("empty")), "file holds no program and no native file"),
        (giant_header(), "cannot be unpacked"),
        (b"PK\3\4" + bytes(100), "cannot be unpacked"),
        (b"\x1f\x8b" + bytes(100), "cannot be unpacked"),
        (bytes(2048) + b"koly" + bytes(508), "disk image of macOS"),
        (b"!<arch>\ndebian-binary", "Debian package"),
        (b"\x7fELF\2\1\1\0AI\2" + bytes(100), "AppImage"),
    ],
)
def test_an_archive_that_is_not_read_is_one_line(
    content: bytes, expected: str, tmp_path: Path, said: Said
) -> None:
    (tmp_path / "file").write_bytes(content)
    code, out, err = said(tmp_path / "file")
    assert (code, out) == (2, "")
    assert expected in err.splitlines()[0]
    assert "rustext-archive-" not in err
    assert not (tmp_path.parent / "out").exists()


# --- gates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "suppressed"),
    [
        ((), 1, 0),
        (("--ignore", "missing-library"), 0, 1),
        (("--ignore", "missing-library:libgone.*"), 0, 1),
        (("--ignore", "missing-library:bad"), 0, 1),  # the file that asks
        (("--ignore", "missing-library:libother.*"), 1, 0),
        (("--ignore", "unsafe-rpath"), 1, 0),
        (("--select", "unsafe-rpath"), 0, 1),
        (("--select", "missing-library"), 1, 0),
        (("--fail-on", "never"), 0, 0),
        (("--fail-on", "note"), 1, 0),
    ],
)
def test_what_is_selected_decides_and_the_rest_is_counted(
    options: tuple[str, ...], code: int, suppressed: int, dist: Path, said: Said
) -> None:
    ended, out, _ = said(dist / "bad", "--json", *options)
    assert (ended, json.loads(out)["suppressed"]) == (code, suppressed)
    ended, out, _ = said(dist / "bad", *options)
    assert (ended, f"{suppressed} suppressed" in out) == (code, suppressed > 0)
    assert ("stands alone" in out) is False


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ('ignore = ["missing-library:libgone.so.1"]', 0),
        ('per-path-ignores = {"bad" = ["missing-library"]}', 0),
        ('per-path-ignores = {"other/*" = ["missing-library"]}', 1),
        ('ignore = ["mising-library"]', 2),
        ('ignore = ["missing-library:"]', 2),
        ("per-path-ignores = 1", 2),
    ],
)
def test_a_project_keeps_what_does_not_count(
    table: str, code: int, dist: Path, tmp_path: Path, said: Said
) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.rustext]\n{table}\n")
    ended, _, err = said(dist / "bad")
    assert ended == code
    if code == 2:
        assert err.startswith("error: pyproject.toml: ")


def test_a_baseline_holds_what_is_known_and_says_what_is_gone(
    dist: Path, tmp_path: Path, said: Said
) -> None:
    known = tmp_path / "known.json"
    assert said(dist, "--write-baseline", known)[0] == 1
    code, out, err = said(dist, "--baseline", known)
    assert (code, "1 suppressed" in out, err) == (0, True, "")
    assert said(dist / "good", "--baseline", known)[2] == ""  # rows of others are not stale
    shutil.copy2(dist / "good" / "good", dist / "bad" / "bad")
    code, _, err = said(dist, "--baseline", known)
    assert code == 0
    assert err == (
        f"warning: {known}: `missing-library` of `libgone.so.1` in bad is not found any more\n"
    )


def test_a_baseline_replaces_no_other_file(dist: Path, tmp_path: Path, said: Said) -> None:
    other = tmp_path / "other.json"
    other.write_text("{}")
    assert said(dist, "--write-baseline", other)[0] == 2
    assert other.read_text() == "{}"
    assert "not a baseline" in said(dist, "--baseline", other)[2]
    assert "cannot be read" in said(dist, "--baseline", tmp_path / "none.json")[2]


# --- one document -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("r.json", "{"), ("r.sarif", "{"), ("r.html", "<!DOCTYPE html>"), ("r.xml", "<?xml"),
        ("r.md", "## "), ("r.txt", "error["),
    ],
)  # fmt: skip
def test_a_report_on_several_is_one_document_and_replaced_by_the_next(
    name: str, begins: str, dist: Path, tmp_path: Path, said: Said
) -> None:
    for _ in range(2):
        assert said(dist, "-o", tmp_path / name)[0] == 1
    text = (tmp_path / name).read_text()
    assert text.startswith(begins)
    assert "bad" in text
    assert "good" in text
    if begins == "{":
        assert isinstance(json.loads(text), dict)
    if begins == "<?xml":
        suites = ET.fromstring(text).findall("testsuite")
        assert [(s.get("name"), s.get("failures")) for s in suites] == [("bad", "1"), ("good", "0")]


def test_one_call_writes_a_report_in_each_format_that_is_named(
    dist: Path, tmp_path: Path, said: Said
) -> None:
    files = [tmp_path / name for name in ("r.html", "r.sarif", "r.txt")]
    words = [word for file in files for word in ("-o", file)]
    code, out, err = said(dist, "--format", "github", "-o", "-", *words)
    assert (code, out) == (1, said(dist, "--format", "github")[1])
    assert err.splitlines()[-3:] == [f"report: {file}" for file in files]
    for file, kind in zip(files, ("html", "sarif", "github"), strict=True):
        assert file.read_text() == said(dist, "--format", kind)[1], kind
    assert said(dist, *words, "-qq") == (1, "", "")
    assert files[2].read_text() == said(dist)[1]  # of no format: text, as without a file


def test_statistics_count_each_id_and_name_no_finding(dist: Path, said: Said) -> None:
    for name in ("tool", "other"):  # nothing is seen to load them
        shutil.copy2(dist / "bad" / "bad", dist / "bad" / "_internal" / name)
    code, out, _ = said(dist, "--statistics")
    rows = [line.split() for line in out.splitlines()[:3]]
    findings = json.loads(said(dist / "bad", "--json")[1])["findings"]
    counts = Counter((one["severity"], one["id"]) for one in findings)
    assert set(counts) == {("error", "missing-library"), ("warning", "missing-library")}
    assert code == 1
    assert rows == [
        ["level", "finding", "number"], *([*key, str(n)] for key, n in counts.items()),
    ]  # fmt: skip
    assert "libgone" not in out
    code, _, err = said(dist, "--statistics", "--json")
    assert (code, "--statistics is for text" in err) == (2, True)


def test_words_for_the_program_come_behind_two_dashes(dist: Path, said: Said) -> None:
    code, _, err = said(dist / "good", "--run", "word")
    assert code == 2
    assert "word does not exist" in err
    assert said(dist / "good", "--run", "--", "word")[0] == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--run", "--timeout", "-1"), "--timeout"),
        (("--alive", "0"), "--alive"),
        (("--alive", "nan"), "--alive"),
        (("--hide", "/nosuch", "--run"), "/nosuch does not exist"),
        (("--hide", "/"), "is for a program that is started"),
        (("--tim", "3"), "--tim"),
        (("--formt", "json"), "did you mean `--format`?"),
    ],
)
def test_an_option_that_means_nothing_is_refused(
    options: tuple[str, ...], expected: str, dist: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = run(["verify", str(dist / "good"), *options])
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    assert expected in capfd.readouterr().err


def test_an_archive_of_a_folder_of_builds_holds_these_builds(dist: Path, said: Said) -> None:
    with tarfile.open("all.tar", "w") as archive:
        archive.add(dist, "release/dist")
    _, out, _ = said("all.tar", "--json")
    assert [Path(r["bundle"]).name for r in json.loads(out)["reports"]] == ["bad", "good"]


def test_no_report_names_the_folder_in_which_the_bundle_lies(dist: Path, said: Said) -> None:
    for format_ in REPORTS:
        _, out, _ = said(dist / "bad", "--format", format_)
        if format_ == "json":  # which says once which bundle it is about
            document = json.loads(out)
            assert document.pop("bundle") == str(dist / "bad")
            out = json.dumps(document["findings"])
        elif format_ == "sarif":  # once, too: what the places in it are relative to
            (a_run,) = json.loads(out)["runs"]
            assert a_run.pop("originalUriBaseIds")["BUNDLE"]["uri"] == f"{dist.as_uri()}/"
            out = json.dumps(a_run)
        assert str(dist) not in out, format_


def test_isolated_reads_no_configuration(dist: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (dist.parent / "pyproject.toml").write_text('[tool.rustext]\nignore = ["missing-library"]\n')
    assert run(["verify", "dist/bad"]) == 0
    assert run(["verify", "dist/bad", "--isolated"]) == 1
    (dist.parent / "pyproject.toml").write_text("[tool.rustext]\nno-such = 1\n")
    assert run(["verify", "dist/bad"]) == 2
    assert run(["verify", "dist/bad", "--isolated"]) == 1
