"""Parts of the documentation that are made from the code, as an extension of Sphinx.

In: the command line's parser, the JSON Schemas, the ids of findings, the modules. Out: what
follows the hand-written part of `reference/commands`, `reference/json`, `findings/index` and
`architecture`; and the schemas as files, under the addresses by which they call themselves.
https://www.sphinx-doc.org/en/master/extdev/event_callbacks.html
"""

from __future__ import annotations

import argparse
import ast
import json
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from rustext.cli.arguments import make_parser
from rustext.report.rules import RULES


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("env-get-outdated", lambda *_: list(_MADE))
    app.connect("source-read", complete)
    app.connect("build-finished", write_schemas)
    return {"parallel_read_safe": True}


def complete(_app: Sphinx, name: str, source: list[str]) -> None:
    """Add to a page what is made from the code."""
    if name in _MADE:
        source[0] = "\n".join((source[0], *_MADE[name]()))


def write_schemas(app: Sphinx, error: Exception | None) -> None:
    """Put the schemas where their `$id` says that they are."""
    folder = Path(app.outdir, "schemas")
    if error is None:
        folder.mkdir(exist_ok=True)
        for name, text in read_schemas().items():
            (folder / f"{name}.json").write_text(text, encoding="utf-8")


# --- findings ---------------------------------------------------------------------------------


def iter_findings() -> Iterator[str]:
    """A table of all findings, and their pages for the navigation."""
    yield "| finding | what it means |"
    yield "|---|---|"
    for name, meaning in sorted(RULES.items()):
        yield f"| [`{name}`]({name}.md) | {meaning} |"
    yield "\n```{toctree}\n:hidden:\n"
    yield from sorted(RULES)
    yield "```"


# --- commands ---------------------------------------------------------------------------------


def iter_commands() -> Iterator[str]:
    """The reference of all commands and options, as the parser knows them."""
    parser = make_parser()
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    shorts = {choice.dest: choice.help for choice in commands._choices_actions}
    for name, one in commands.choices.items():
        one.formatter_class = _Formatter
        yield f"## rustext {name}\n"
        short = shorts[name] or ""
        yield f"{short[:1].upper()}{short[1:]}.\n"
        yield f"```text\n{one.format_usage().removeprefix('usage: ').rstrip()}\n```\n"
        yield "| argument | meaning |"
        yield "|---|---|"
        for action in one._actions:
            if action.help != argparse.SUPPRESS:
                yield f"| {_spelling(action)} | {_cell(action.help or '')} |"
        yield ""


class _Formatter(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=88)


def _spelling(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`"
    value = ""
    if action.nargs != 0:
        choices = "|".join(map(str, action.choices)) if action.choices else None
        value = f" {choices or action.metavar or action.dest.upper()}"
    return ", ".join(f"`{_cell(option + value)}`" for option in action.option_strings)


def _cell(text: str) -> str:
    """A text that can stand in a table, where even code must not hold a bar."""
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


# --- schemas ----------------------------------------------------------------------------------


def read_schemas() -> dict[str, str]:
    """The JSON Schemas by the names of their commands."""
    folder = resources.files("rustext").joinpath("data", "schemas")
    return {
        entry.name.removesuffix(".json"): entry.read_text("utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
    }


def iter_schemas() -> Iterator[str]:
    """What each command's JSON holds."""
    for name, text in read_schemas().items():
        schema = json.loads(text)
        yield f"## rustext {name} --json\n"
        yield f"{schema['title']}. [Schema](../../src/rustext/data/schemas/{name}.json)\n"
        if "properties" in schema:
            yield from _iter_keys(schema)
        for key, part in schema.get("$defs", {}).items():
            yield f"### {key} in {name}\n"
            yield from _iter_keys(part)


def _iter_keys(part: Mapping[str, Any]) -> Iterator[str]:
    if "description" in part:
        yield f"{part['description']}\n"
    yield "| key | type | meaning |"
    yield "|---|---|---|"
    for key, value in part["properties"].items():
        optional = "" if key in part["required"] else " (not always there)"
        meaning = _cell(value.get("description", "")) + optional
        yield f"| `{key}` | {_cell(_type(value))} | {meaning} |"
    yield ""


def _type(value: Mapping[str, Any]) -> str:
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    if "anyOf" in value:
        return " or ".join(_type(option) for option in value["anyOf"])
    if "enum" in value:
        return ", ".join("null" if v is None else f"`{v}`" for v in value["enum"])
    if value["type"] == "array":
        return f"list of {_type(value['items'])}"
    if value["type"] == "object":
        return "object with " + ", ".join(f"`{key}`" for key in value["properties"])
    kinds = value["type"] if isinstance(value["type"], list) else [value["type"]]
    return " or ".join(kinds)


# --- modules ----------------------------------------------------------------------------------


def iter_modules() -> Iterator[str]:
    """A table of the modules of each folder, with what each says of itself."""
    yield "\n## Every module"
    files = [p for top in ("src", "plugins", "hooks") for p in (_ROOT / top).rglob("*.py")]
    for folder in sorted({file.parent for file in files}):
        yield f"\n### {folder.relative_to(_ROOT)}\n\n| module | what it does |\n|---|---|"
        for file in sorted(folder.glob("*.py")):
            said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            if file.name != "__init__.py":
                yield f"| `{file.stem}` | {_cell(said.partition(chr(10) * 2)[0])} |"


_ROOT = Path(__file__).resolve().parents[2]
_MADE: Mapping[str, Callable[[], Iterator[str]]] = {
    "architecture": iter_modules,
    "findings/index": iter_findings,
    "reference/commands": iter_commands,
    "reference/json": iter_schemas,
}
