"""Compiles irrigation programs: parse, check against Starlark policies, generate code and diagrams."""
import tempfile
from pathlib import Path

import orjson
import starlark as sl
from arpeggio import NonTerminal, ParserPython, PTNodeVisitor, RegExMatch as _, OneOrMore, EOF, visit_parse_tree
from textx import (generator_for_language_target, get_children_of_type, language_descriptions, metamodel_for_file,
                   metamodel_for_language)
from textx.export import metamodel_export
from textx.exceptions import TextXSemanticError, TextXSyntaxError

import gardenlang

BASE = Path(__file__).resolve().parent


class PolicyEngine:
    """Starlark modules from a folder, loaded on demand and frozen."""

    def __init__(self, folder: Path):
        self.folder, self.cache, self.reports = folder, {}, []
        self.globals = sl.Globals.extended_by([sl.LibraryExtension.Json, sl.LibraryExtension.StructType])
        self.dialect = sl.Dialect.extended()

    def load(self, name: str) -> sl.FrozenModule:
        if name not in self.cache:
            module = sl.Module()
            ast = sl.parse(name, (self.folder / name).read_text(), dialect=self.dialect)
            sl.eval(module, ast, self.globals, sl.FileLoader(self.load))
            self.cache[name] = module.freeze()
        return self.cache[name]

    def run(self, name: str, **values):
        module = sl.Module()
        for key, value in values.items():
            module[key] = value
        module.add_callable("report", self.reports.append)
        ast = sl.parse(name, (self.folder / name).read_text(), dialect=self.dialect)
        result = sl.eval(module, ast, self.globals, sl.FileLoader(self.load))
        return result, [load.module_id for load in ast.loads()], [lint.short_name for lint in ast.lint()]


# a tiny language for log lines, straight on Arpeggio
def log(): return OneOrMore(entry), EOF
def entry(): return clock, zone, litres
def clock(): return _(r"\d\d:\d\d")
def zone(): return _(r"[a-z]+")
def litres(): return _(r"\d+(\.\d+)?"), "l"


class LogVisitor(PTNodeVisitor):
    def visit_litres(self, node, children):
        return float(children[0] if children else node[0].value)

    def visit_entry(self, node, children):
        return {"at": children[0], "zone": children[1], "litres": children[2]}

    def visit_log(self, node, children):
        return list(children)


def main():
    gardenlang.register()
    print("languages:", sorted(language_descriptions()))
    source = BASE / "examples" / "home.garden"
    mm = metamodel_for_file(str(source))
    model = mm.model_from_file(str(source))
    rules = get_children_of_type("Rule", model)
    print(f"{len(model.zones)} zones, {len(rules)} rules, imported {[i.importURI for i in model.imports]}")
    for rule in rules:
        print(f"  {rule.parent.name}: {rule.sensor.name} {rule.op} {rule.limit} -> {rule.duration.seconds} s")
    errors = 0
    for name in ("clash", "ghost", "broken"):
        try:
            mm.model_from_file(str(BASE / "examples" / f"{name}.garden"))
        except (TextXSemanticError, TextXSyntaxError) as exc:
            errors += 1
            print(f"{name}: {type(exc).__name__} at {exc.line}:{exc.col} {exc.message.split(' at position')[0].split('=>')[0].strip()[:70]}")

    with tempfile.TemporaryDirectory() as tmp:
        out = Path(tmp)
        for target in ("arduino", "manifest"):
            generator_for_language_target("garden", target)(mm, model, str(out), True, False, board="mega")
        for target in ("dot", "PlantUML"):
            textx_mm = metamodel_for_language("textX")
            grammar = textx_mm.model_from_file(str(BASE / "gardenlang/grammar/garden.tx"))
            generator_for_language_target("textX", target)(textx_mm, grammar, str(out), True, False)
        metamodel_export(mm, str(out / "garden-metamodel.dot"))
        generator_for_language_target("any", "dot")(mm, model, str(out), True, False)
        for path in sorted(out.iterdir()):
            print(f"generated {path.name}: {len(path.read_text().splitlines()) > 1}")
        print((out / "tomatoes.h").read_text().strip())

        engine = PolicyEngine(BASE / "policies")
        text = (out / "manifest.json").read_text()
        for month in (4, 7):
            verdict, loads, lints = engine.run("season.star", manifest_text=text, month=month)
            print(f"month {month}: {orjson.dumps(verdict, option=orjson.OPT_SORT_KEYS).decode()} loads {loads} lints {lints}")
        print("reports:", engine.reports)
        try:
            sl.eval(sl.Module(), sl.parse("bad.star", "fail('no water')"), engine.globals)
        except sl.StarlarkError as exc:
            print("starlark:", "no water" in str(exc))

    parser = ParserPython(log, reduce_tree=False)
    tree: NonTerminal = parser.parse("05:30 lawn 100.0 l 05:31 tomatoes 24 l 21:15 tomatoes 12.5 l")
    lines = visit_parse_tree(tree, LogVisitor())
    total = sum(line["litres"] for line in lines)
    print("log:", lines[0], "total", total)
    print(f"OK {len(rules)} rules, {errors} errors found, {len(engine.cache)} policy module cached")


if __name__ == "__main__":
    main()
