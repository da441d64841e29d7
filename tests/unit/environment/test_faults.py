"""Files of an environment that cannot be read: each costs itself, and is named once."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from environments import environment, install, write_files

from rustext.model.faults import Fault

if not hasattr(os, "mkfifo"):
    pytest.skip("makes FIFOs, links to /dev and names that are no text", allow_module_level=True)

Break = Callable[[Path], object]


def replace(name: str, make: Break) -> Break:
    def apply(info: Path) -> None:
        (info / name).unlink()
        make(info / name)

    return apply


def not_utf8(info: Path) -> None:
    os.rename(info, os.fsencode(info.parent) + b"/caf\xe9-1.0.dist-info")  # noqa: PTH104


def odd_row(info: Path) -> None:
    with (info / "RECORD").open("ab") as stream:
        stream.write(b"bad/caf\xe9.py,,\n")


def odd_requirement(info: Path) -> None:
    with (info / "METADATA").open("a") as stream:
        stream.write('Requires-Dist: other (>=1,, !\nRequires-Dist: x; python_version is "3"\n')


def put(name: str, text: str) -> Break:
    return lambda info: (info / name).write_bytes(text.encode("utf-8", "surrogateescape"))


def huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(5 << 30)


LATIN = b"Metadata-Version: 2.1\nName: bad\nVersion: 1.0\nAuthor: caf\xe9\n"
FINDER = "__editable___odd_1_0_finder.py"
FAULTS = {
    "record_links_to_itself": (replace("RECORD", lambda p: p.symlink_to(p.name)), "RECORD"),
    "record_is_a_fifo": (replace("RECORD", os.mkfifo), "RECORD"),
    "record_never_ends": (replace("RECORD", lambda p: p.symlink_to("/dev/zero")), "RECORD"),
    "record_is_a_folder": (replace("RECORD", Path.mkdir), "RECORD"),
    "record_dangles": (replace("RECORD", lambda p: p.symlink_to("gone")), "RECORD"),
    "record_is_huge": (replace("RECORD", huge), "RECORD"),
    "metadata_is_a_fifo": (replace("METADATA", os.mkfifo), "METADATA"),
    "metadata_never_ends": (replace("METADATA", lambda p: p.symlink_to("/dev/zero")), "METADATA"),
    "metadata_is_huge": (replace("METADATA", huge), "METADATA"),
    "metadata_is_not_there": (lambda info: (info / "METADATA").unlink(), "bad-1.0.dist-info"),
    "metadata_names_nothing": (
        replace("METADATA", lambda p: p.write_text("Metadata-Version: 2.1\n")),
        "METADATA",
    ),
    "requirements_do_not_parse": (odd_requirement, "METADATA"),
    "metadata_is_not_utf8": (lambda info: (info / "METADATA").write_bytes(LATIN), "METADATA"),
    "entry_points_without_a_group": (put("entry_points.txt", "[[[\nx"), "entry_points.txt"),
    "entry_points_without_a_value": (put("entry_points.txt", "[a]\nx"), "entry_points.txt"),
    "entry_points_are_not_utf8": (put("entry_points.txt", "[a]\nx=\udce9"), "entry_points.txt"),
    "origin_does_not_parse": (put("direct_url.json", "{"), "direct_url.json"),
    "origin_is_nested_too_deeply": (put("direct_url.json", "[" * 100_000), "direct_url.json"),
    "path_file_leads_nowhere": (put("../odd.pth", "gone\n# also\nimport gone\n"), "odd.pth"),
    "path_file_is_not_utf8": (put("../odd.pth", "caf\udce9\n"), "odd.pth"),
    "egg_link_leads_nowhere": (put("../odd.egg-link", "/gone\n."), "odd.egg-link"),
    "editable_source_is_gone": (put(f"../{FINDER}", "MAPPING = {'a': '/gone/a'}\n"), FINDER),
    "folder_is_not_utf8": (not_utf8, "caf\udce9-1.0.dist-info"),
    "row_is_not_utf8": (odd_row, "RECORD"),
    "row_is_cut": (put("RECORD", "bad.py,sha256=x,1\nbad/x.p"), "RECORD"),
    "row_has_too_many_fields": (put("RECORD", "bad.py,,\nbad/x, y.py,,\n"), "RECORD"),
    "row_has_an_open_quote": (put("RECORD", '"bad/x.py,,\nbad.py,,\n'), "RECORD"),
    "row_holds_a_nul": (put("RECORD", "bad.py,,\nbad\0.py,,\n"), "RECORD"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_costs_its_file_and_is_named_once(name: str, tmp_path: Path) -> None:
    broken, culprit = FAULTS[name]
    install(tmp_path, "good", files={"good.py": ""}, requires=["other"])
    broken(install(tmp_path, "bad", files={"bad.py": ""}))
    env = environment(tmp_path)
    started = time.monotonic()
    assert "good" in env.distributions
    assert time.monotonic() - started < 5
    assert [fault.path.name for fault in env.faults] == [culprit]
    (line,) = map(str, env.faults)
    assert "\n" not in line
    line.encode()  # can be printed
    found = env.find_module("bad")
    assert found is not None
    assert found.path == tmp_path / "bad.py"


def test_all_faults_at_once_cost_no_more_than_their_files(tmp_path: Path) -> None:
    install(tmp_path, "good", files={"good.py": ""})
    for name, (broken, _) in FAULTS.items():
        broken(install(tmp_path, name.replace("_", "-"), files={f"{name}.py": ""}))
        for odd in tmp_path.glob("odd.*"):  # two faults have one name
            odd.rename(odd.with_name(f"{name}{odd.suffix}"))
    env = environment(tmp_path)
    assert "good" in env.distributions
    assert len(env.faults) == len(FAULTS)


def test_absolute_rows_of_a_record_are_below_their_folder(tmp_path: Path) -> None:
    info = install(tmp_path / "site", "app", files={"app.py": ""})
    with (info / "RECORD").open("a") as stream:
        stream.write(f"{tmp_path}/site/other.py,,\n{tmp_path}/bin/tool,,\n")
    files = set(map(str, environment(tmp_path / "site").distributions["app"].files))
    assert {"app.py", "other.py", "../bin/tool"} <= files


@pytest.mark.parametrize(
    "record",
    [
        "pkg/__init__.py,sha256=x,1\n../bin/x,,\nplain.py,,\npkg/on",
        '../bin/x,,\n"pkg/one.py,,\npkg/__init__.py,,\nplain.py,,\n',
        '../bin/x,,\n"pkg/one.py,,\npkg/__init__.py,,\nplain.py,,\n"pkg/core.so",,\n',
        "../bin/x,,\r\npkg/__init__.py,,\r\n  \r\npkg/a,b.py,,\r\nplain.py,,\r\n",
        "../bin/x,,\n" + '"' + 200_000 * "x" + "\npkg/__init__.py,,\nplain.py,,\n",
    ],
)
def test_of_a_damaged_record_the_whole_rows_count_and_the_packages_that_they_name(
    record: str, tmp_path: Path
) -> None:
    files = ("pkg/__init__.py", "pkg/one.py", "pkg/inner/two.py", "pkg/__pycache__/one.pyc")
    info = install(tmp_path, "app", files=dict.fromkeys((*files, "plain.py", "space/a.py"), ""))
    (info / "RECORD").write_text(f"space/a.py,,\n{record}", newline="")
    (tmp_path / "space/others.py").touch()
    env = environment(tmp_path)
    found = set(map(str, env.distributions["app"].files))
    assert found == {"space/a.py", "plain.py", "../bin/x", *files[:3]} | (
        {"pkg/core.so"} if "core" in record else set()
    )
    (fault,) = env.faults
    assert fault.path == info / "RECORD"
    assert fault.reason.startswith("1 of its rows are damaged: `")
    assert fault.effect == "files of app may be missing"


def test_what_is_legal_is_no_fault(tmp_path: Path) -> None:
    info = install(tmp_path, "app", files={"app.py": ""})
    (tmp_path / "here").mkdir()
    write_files(
        tmp_path,
        {
            "app-1.0.dist-info/entry_points.txt": "# all\n\n[console_scripts]\nx = app:f [more]\n"
            "[b]\n y=app.plugins\n",
            "app-1.0.dist-info/direct_url.json": '{"url": "file:///gone"}',
            "good.pth": "import gone\n# gone\n\nhere\n./here  \n",
            "good.egg-link": f"{tmp_path}/here\n../gone",
        },
    )
    with (info / "RECORD").open("a") as stream:
        stream.write('/etc/passwd,,\n../../../bin/x,,\n\n"a, ""b"".txt",,\n"two\nlines.txt",,\n')
    env = environment(tmp_path)
    (dist,) = env.distributions.values()
    points = metadata.Distribution.at(info).entry_points
    assert dist.entry_points == tuple((p.group, p.module) for p in points)
    assert env.faults == ()


def test_a_finder_costs_no_more_than_the_modules_that_are_gone(tmp_path: Path) -> None:
    write_files(tmp_path, {"source/a/__init__.py": ""})
    mapping = {"a": f"{tmp_path}/source/a", "b": "/gone/b", "c": "/gone/c"}
    write_files(tmp_path / "site", {FINDER: f"MAPPING = {mapping!r}\n"})
    env = environment(tmp_path / "site")
    assert env.editable.names == ("a",)
    assert [fault.reason for fault in env.faults] == ["it names what is gone: `/gone/b` and 1 more"]


def test_many_faults_of_one_kind_in_a_distribution_are_one_line(tmp_path: Path) -> None:
    files = {f"pkg/{name}.py": "" for name in "abc"}
    for name in ("one", "two"):
        install(tmp_path, name, files={f"{name}/{file}": text for file, text in files.items()})
    env = environment(tmp_path)
    for name in (*files, "free.py", "other.py"):
        for folder in ("one", "two"):
            env.note_fault(tmp_path / folder / name, f"it is odd (at {name})", "it is left out")
    free, other, first, *_ = lines = list(map(str, env.faults))
    assert len(lines) == 6
    assert "one/free.py`: it is odd (at free.py); it is left out" in free
    assert "one/other.py`: it is odd (at other.py); it is left out" in other
    assert "one/pkg/a.py`: it is odd (at pkg/a.py); it is left out (and of 2 more files" in first


def test_a_folder_of_the_path_that_is_closed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, closed = os.listdir, tmp_path / "closed"

    def listdir(path: Path) -> list[str]:  # as for another user than root
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    closed.mkdir()
    env = environment(closed, tmp_path / "gone", tmp_path)
    assert env.find_module("nowhere") is None
    assert [fault.path for fault in env.faults] == [closed]


def test_a_name_with_a_line_break_stays_in_one_line() -> None:
    fault = Fault(path=Path("a\nb\udce9\x1b"), reason="it is odd", effect="it is left out")
    assert str(fault) == r"cannot read `a\nb\udce9\x1b`: it is odd; it is left out"


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    write_files(tmp_path, {"pkg/__init__.py": ""})
    env = environment(tmp_path)
    assert list(env.iter_extensions(tmp_path / "gone")) == []
    assert [fault.path.name for fault in env.faults] == ["gone"]


def test_links_that_lead_in_circles_end(tmp_path: Path) -> None:
    suffix = environment().interpreter.suffixes[0]
    write_files(tmp_path, {"pkg/__init__.py": "", f"pkg/core{suffix}": ""})
    (tmp_path / "pkg" / "again").symlink_to(tmp_path / "pkg")
    (tmp_path / "pkg" / "also").symlink_to("also")
    (tmp_path / "pkg" / "up").symlink_to("../..")
    (tmp_path / "pkg" / "all").symlink_to("/")
    found = list(environment(tmp_path).iter_extensions(tmp_path, namespaces=True))
    assert [path.name for path in found] == [f"core{suffix}"]


@pytest.mark.parametrize(
    ("names", "left"),
    [(("Pkg-1.0", "pkg-2.0"), "Pkg-1.0"), (("pkg-1.0", "Pkg-2.0"), "pkg-1.0"),
     (("pkg-1.0", "~kg-2.0"), "~kg-2.0")],
)  # fmt: skip
def test_of_two_installations_in_one_folder_the_whole_one_counts_and_the_other_is_named(
    names: tuple[str, str], left: str, tmp_path: Path
) -> None:
    """A failed upgrade leaves the old metadata; in two folders, the first one simply wins."""
    for name, files in zip(names, (("gone.py", "pkg.py"), ("pkg.py", "new.py")), strict=True):
        info = install(tmp_path / "a", "pkg", name[-3:], files=dict.fromkeys(files, ""))
        record = (info / "RECORD").read_text().replace(info.name, f"{name}.dist-info")
        (info / "RECORD").write_text(record)
        info.rename(info.with_name(f"{name}.dist-info"))
    (tmp_path / "a/gone.py").unlink()
    install(tmp_path / "b", "pkg", "3.0", files={"pkg.py": ""})
    env = environment(tmp_path / "a", tmp_path / "b")
    assert env.distributions["pkg"].version == ({*names} - {left}).pop()[-3:]
    (fault,) = env.faults
    assert fault.path == tmp_path / f"a/{left}.dist-info"
    assert fault.reason.startswith("pkg is installed twice here, and `")


def test_an_archive_on_the_search_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "demo-1.0-py3.11.egg").write_bytes(b"PK")
    own = "python{}{}.zip".format(*sys.version_info[:2])
    (tmp_path / own).write_bytes(b"PK")
    env = environment(tmp_path / "demo-1.0-py3.11.egg", tmp_path / own, tmp_path / "none.egg")
    assert [fault.path.name for fault in env.faults] == ["demo-1.0-py3.11.egg"]
