"""A source is parsed, or refused in one way, whatever the parser has against it."""

from __future__ import annotations

import ast
import sys
import warnings
from pathlib import Path

import pytest
from environments import environment, install, write_files

from rustext.companions import find_companions
from rustext.distributions import iter_distributions
from rustext.errors import InvalidProgram
from rustext.model import CompanionKind
from rustext.program import iter_imports, iter_program
from rustext.python_source import parse_source

TERMS = "x = " + "+".join(["native.x"] * 100_000)
SIGNS = "native.x = " + "-" * 100_000 + "1"
DEEP = pytest.mark.parametrize("source", [SIGNS, TERMS], ids=["signs", "terms"])


def too_deep(source: str) -> bool:
    """Whether this Python's own parser gives up on it: 3.10 has no bound for terms."""
    try:
        ast.parse(source)
    except (RecursionError, MemoryError):
        return True
    return False


def test_every_python_finds_some_source_too_deep() -> None:
    assert too_deep(SIGNS)
    assert too_deep(TERMS) or sys.version_info < (3, 11)


@pytest.mark.parametrize("source", ["x = (", "x = 1\0", b"# coding: none\n", SIGNS])
def test_what_cannot_be_parsed_is_a_syntax_error(source: str | bytes) -> None:
    with pytest.raises(SyntaxError):
        parse_source(source)


def test_escape_sequences_are_their_authors_business() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ast.dump(parse_source("'\\d'")) == ast.dump(parse_source(b"'\\\\d'"))


@DEEP
def test_a_script_that_is_nested_too_deeply_is_refused(source: str, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(source)
    names = iter_program(tmp_path / "script.py", environment(tmp_path))
    if too_deep(source):
        with pytest.raises(InvalidProgram, match="no Python source: it is nested too deeply"):
            list(names)
    else:
        assert list(names) == []


@DEEP
def test_a_module_that_is_nested_too_deeply_says_nothing(source: str, tmp_path: Path) -> None:
    install(tmp_path, "pkg", files={"pkg/__init__.py": "try: ...\nexcept SyntaxError: ...\n"})
    write_files(tmp_path, {"pkg/deep.py": source})
    env = environment(tmp_path)
    module = env.find_module("pkg.deep")
    assert module is not None
    assert list(iter_imports(module, env)) == []
    install(tmp_path, "other", files={"other.py": f"# except SyntaxError\n{source}"})
    (other,) = [d for d in iter_distributions(tmp_path) if d.name == "other"]
    found = [c.destination for c in find_companions(other, ()) if c.kind is CompanionKind.DATA]
    assert [str(f) for f in found] == ["other.py"] * too_deep(source)
