"""A source is parsed, or refused in one way, whatever the parser has against it."""

from __future__ import annotations

import ast
import sys
import warnings
from pathlib import Path

import pytest
from environments import environment, install, write_files

from rustext.discovery.source_facts import read_sources
from rustext.environment.distributions import iter_distributions
from rustext.environment.python_source import find_fault, iter_statements, parse_source
from rustext.errors import InvalidProgram
from rustext.freezing.script_imports import iter_imports, iter_program
from rustext.model.plan import CompanionKind
from rustext.plan.companions import find_companions

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


def test_all_statements_are_found_in_the_order_of_asts_own_walk() -> None:
    for file in sorted(Path(ast.__file__).parent.glob("*.py")):
        tree = parse_source(file.read_bytes())
        found = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
        assert [node for node in iter_statements(tree) if isinstance(node, ast.stmt)] == found


def test_statements_are_found_in_each_clause() -> None:
    source = """
match x:
    case 1: import a
try: import b
except A: import c
else: import d
finally: import e
for x in y: import f
else: import g
while x:
    with z:
        if x: import h
        elif y: import i
        else: import j
class C:
    async def k(self):
        async with x: import k
"""
    names = {n.names[0].name for n in iter_statements(ast.parse(source))
             if isinstance(n, ast.Import)}  # fmt: skip
    assert names == set("abcdefghijk")


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
    companions = find_companions(read_sources(other), other, ())
    found = [c.destination for c in companions if c.kind is CompanionKind.DATA]
    assert [str(f) for f in found] == ["other.py"] * too_deep(source)


@pytest.mark.parametrize("text", ["a;" * 400_000, "f();" * 200_000, "x = [" + "a," * 400_000 + "]"])
def test_a_source_whose_tree_would_fill_the_memory_is_refused(text: str) -> None:
    """800,000 words and signs take 800 MB."""
    with pytest.raises(SyntaxError, match="more than 600,000 words and signs"):
        parse_source(text)
    assert find_fault(text.encode()) == ""  # Python can compile it, and so can a freezer
    assert parse_source(f"x = '{text}'").body


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"return 1\n", "line 1: 'return' outside function"),
        (b"x = 1\nwhile x:\n    def f():\n        break\n", "line 4: 'break' outside loop"),
        (b"x = " + b"a+" * 100_000 + b"a\n", "it is nested too deeply"),
        (b"x = a" + b".b" * 100_000 + b"\n", "it has a name of more than 1000 parts"),
    ],
)
def test_what_the_compiler_alone_refuses_is_a_fault(source: bytes, said: str) -> None:
    assert find_fault(source) == said
    with pytest.raises((SyntaxError, RecursionError, MemoryError)):
        compile(source, "", "exec", dont_inherit=True)
