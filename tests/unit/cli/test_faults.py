"""A fault of rustext ends each command with exit code 3, one line, and where to report it."""

from __future__ import annotations

import pytest

from rustext.cli import main as cli

COMMANDS = [
    ("scan",), ("inspect", "json"), ("plan", "x.py"), ("hooks", "x"), ("doctor",), ("verify", "x"),
    ("trace", "merge", "x"), ("record",),
]  # fmt: skip


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda a: a[0])
@pytest.mark.parametrize("error", [AssertionError("a\nb"), RecursionError("deep")])
def test_a_fault_is_no_finding(
    arguments: tuple[str, ...],
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> int:
        raise error

    class Stage:
        def __getattr__(self, _: str) -> object:
            return fail

    monkeypatch.setattr(cli.importlib, "import_module", lambda _: Stage())
    assert cli.run(arguments) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [line.partition(":")[0] for line in printed.err.splitlines()] == ["error", "hint"]
    assert type(error).__name__ in printed.err
    assert "report it" in printed.err
    assert cli.run([*arguments[:1], "--debug", *arguments[1:]]) == 3
    assert "Traceback" in capsys.readouterr().err
