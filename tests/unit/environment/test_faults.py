"""Files of an environment that cannot be read: each costs itself, and is named once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from environments import environment, install, write_files

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


def huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(5 << 30)


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
    "folder_is_not_utf8": (not_utf8, "caf\udce9-1.0.dist-info"),
    "row_is_not_utf8": (odd_row, "RECORD"),
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
    env = environment(tmp_path)
    assert "good" in env.distributions
    assert len(env.faults) == len(FAULTS)


def test_absolute_rows_of_a_record_are_below_their_folder(tmp_path: Path) -> None:
    info = install(tmp_path / "site", "app", files={"app.py": ""})
    with (info / "RECORD").open("a") as stream:
        stream.write(f"{tmp_path}/site/other.py,,\n{tmp_path}/bin/tool,,\n")
    files = set(map(str, environment(tmp_path / "site").distributions["app"].files))
    assert {"app.py", "other.py", "../bin/tool"} <= files


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
