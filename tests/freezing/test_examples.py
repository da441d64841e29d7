"""The example apps: frozen with rustext they run alone, and where they fail without, they do.

A choice of what `./test --matrix` freezes, which is every example in every way.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from examples import FOLDER, Example, find_examples, freeze_example, judge
from lab import FREEZERS, Frozen, Lab

pytestmark = [pytest.mark.freezing, pytest.mark.network]


@dataclass(frozen=True, kw_only=True)
class Case:
    """An example, and how it is frozen."""

    name: str
    freezer: str = "pyinstaller"
    one_file: bool = False

    def __str__(self) -> str:
        return f"{self.name}-{self.freezer}{'-one-file' if self.one_file else ''}"

    @property
    def example(self) -> Example:
        return Example(folder=FOLDER / self.name)

    def freeze(self, lab: Lab, out: Path, *, rustext: bool) -> Frozen:
        return freeze_example(
            lab, self.example, self.freezer, out=out, rustext=rustext, one_file=self.one_file
        )


CHOSEN = (
    Case(name="config_check"),
    Case(name="config_check", freezer="nuitka"),
    Case(name="identify_files"),
    Case(name="native_prefix"),
    Case(name="native_prefix", freezer="nuitka", one_file=True),
    Case(name="packed", one_file=True),
    Case(name="tokens"),
    Case(name="wallet_keys", one_file=True),
)

# With the last words of each, as its README has them.
FAIL_WITHOUT = {
    Case(name="identify_files"): "model dir not found at",
    Case(name="native_prefix"): "No such file or directory (os error 2)",
    Case(name="packed"): "No module named 'whenever._typing_312'",
    Case(name="wallet_keys"): "libbdkffi.so: cannot open shared object file",
    Case(name="packed", freezer="nuitka"): "No module named 'email'",
    Case(name="identify_files", freezer="nuitka"): "model dir not found at",
    Case(name="native_prefix", freezer="nuitka"): "No such file or directory (os error 2)",
    Case(name="wallet_keys", freezer="nuitka"): "libbdkffi.so: cannot open shared object file",
}
QUICK_FAILURES = {c for c in FAIL_WITHOUT if c.freezer == "pyinstaller" or c.name == "packed"}


def every_case() -> list[object]:
    """Each example in each way; those that are not chosen are for `./test --all`."""
    cases = (
        Case(name=example.name, freezer=freezer, one_file=one_file)
        for example in find_examples()
        for freezer in FREEZERS
        for one_file in (False, True)
    )
    return params(cases, CHOSEN)


def params(cases: Iterable[Case], chosen: Container[Case]) -> list[object]:
    return [pytest.param(c, marks=() if c in chosen else pytest.mark.slow) for c in cases]


@pytest.mark.parametrize("example", find_examples(), ids=lambda e: e.name)
def test_example_prints_what_is_expected_unfrozen(example: Example, lab: Lab) -> None:
    printed = lab.run_unfrozen(example.script, *example.requirements(lab.interpreter))
    assert printed == example.expected


@pytest.mark.parametrize("case", every_case(), ids=str)
def test_example_runs_alone_and_verifies_clean(case: Case, lab: Lab, tmp_path: Path) -> None:
    outcome = judge(case.example, case.freeze(lab, tmp_path, rustext=True), seconds=0)
    assert (outcome.message, outcome.errors) == ("", ())


@pytest.mark.parametrize("case", params(FAIL_WITHOUT, QUICK_FAILURES), ids=str)
def test_example_fails_without_rustext(case: Case, lab: Lab, tmp_path: Path) -> None:
    ended = case.freeze(lab, tmp_path, rustext=False).run(hide=[FOLDER])
    assert ended.code != 0
    assert FAIL_WITHOUT[case] in ended.stderr


def test_a_registry_is_empty_without_rustext_and_the_program_does_not_notice(
    lab: Lab, tmp_path: Path
) -> None:
    ended = Case(name="tokens").freeze(lab, tmp_path, rustext=False).run(hide=[FOLDER])
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1].strip() == "registered:"


@pytest.mark.slow
def test_data_frames_stay_out_of_a_program_that_does_not_use_them(lab: Lab, tmp_path: Path) -> None:
    """pandas is installed, and polars could convert to it."""
    case = Case(name="frames", freezer="nuitka")
    frozen = case.freeze(lab, tmp_path, rustext=True)
    outcome = judge(case.example, frozen, seconds=0)
    assert (outcome.message, outcome.errors) == ("", ())
    assert [p.name for p in frozen.bundle.iterdir() if p.name.startswith("pandas")] == []


def test_frozen_service_answers_until_it_is_told_to_stop(lab: Lab, tmp_path: Path) -> None:
    frozen = Case(name="service").freeze(lab, tmp_path / "build", rustext=True)
    watched = tmp_path / "watched"
    watched.mkdir()
    port = free_port()
    service = subprocess.Popen(
        [frozen.program, "--serve", str(port), watched],
        stdout=subprocess.PIPE, text=True, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    try:
        # RFC 8032, section 7.1, TEST 2
        assert ask(port, "/sign/72")[1].startswith("92a009a9f0d4cab8720e820b5f642540a2b27b54")
        assert ask(port, "/nowhere") == (404, "no such page")
        service.send_signal(signal.SIGTERM)
        printed, _ = service.communicate(timeout=60)
    finally:
        service.kill()
    assert (service.returncode, printed) == (0, "stopped\n")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ask(port: int, path: str) -> tuple[int, str]:
    """The status and the answer; a service that has just been started is given a minute."""
    give_up = time.monotonic() + 60
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except ConnectionError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)


def test_fully_compiled_program_runs(lab: Lab, tmp_path: Path) -> None:
    """Nothing is demoted here: Nuitka compiles all that it would for a user."""
    script = tmp_path / "app.py"
    script.write_text('import ormsgpack; print(ormsgpack.unpackb(ormsgpack.packb({"a": 1})))')
    frozen = lab.freeze(
        "nuitka", script, "ormsgpack==1.13.1", out=tmp_path / "build", rustext=True, compiled=None
    )
    assert frozen.run(hide=[tmp_path]).stdout == "{'a': 1}\n"
