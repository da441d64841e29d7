"""A checker that carries its own tests: pytest is run in the process on a written suite, with Hypothesis, asyncio, and inline snapshots."""
import contextlib
import io
import sys
import tempfile
from pathlib import Path

import pytest
from dirty_equals import IsPositiveInt  # noqa: F401  used by the suite
from hypothesis import settings

SUITE = {
    "conftest.py": """
import pytest
@pytest.fixture(params=["a", "b"])
def letter(request):
    return request.param
""",
    "test_numbers.py": """
import asyncio
import pytest
from dirty_equals import IsPositiveInt
from hypothesis import given, strategies as st
from inline_snapshot import snapshot

@given(st.lists(st.integers(), max_size=5))
def test_sorted(xs):
    assert sorted(sorted(xs)) == sorted(xs)

@given(st.integers(min_value=0))
def test_bug(n):
    assert n < 17

@pytest.mark.asyncio
async def test_async():
    await asyncio.sleep(0)

def test_letter(letter, tmp_path, capsys, monkeypatch):
    (tmp_path / letter).write_text("x")
    print(letter)
    assert capsys.readouterr().out.strip() == letter

def test_dirty():
    assert {"n": 3} == {"n": IsPositiveInt}

def test_snapshot():
    assert [1, 2] == snapshot([1, 2])

def test_explains():
    left, right = {"a": 1, "b": 2}, {"a": 1, "b": 3}
    assert left == right
""",
}


class Collect:
    def __init__(self):
        self.reports = {}
        self.texts = {}

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            self.reports[report.nodeid.split("::")[1]] = report.outcome
            self.texts[report.nodeid.split("::")[1]] = str(report.longrepr or "")


def main():
    settings.register_profile("kit", derandomize=True, database=None, max_examples=60)
    settings.load_profile("kit")
    collect = Collect()
    with tempfile.TemporaryDirectory() as t:
        for name, text in SUITE.items():
            (Path(t) / name).write_text(text)
        (Path(t) / "pytest.ini").write_text("[pytest]\n")
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = pytest.main([t, "-q", "-p", "no:cacheprovider", "--rootdir", t, "-c", f"{t}/pytest.ini", "--hypothesis-profile=kit"], plugins=[collect])
    passed = sorted(k for k, v in collect.reports.items() if v == "passed")
    failed = sorted(k for k, v in collect.reports.items() if v == "failed")
    assert failed == ["test_bug", "test_explains"], (failed, out.getvalue()[-2000:])
    assert "assert {'a': 1, 'b': 2} == {'a': 1, 'b': 3}" in collect.texts["test_explains"], collect.texts["test_explains"]
    print("OK", int(code), passed, "17" in collect.texts["test_bug"], "n=17" in out.getvalue().replace(" ", "") , len(sys.argv))


if __name__ == "__main__":
    main()
