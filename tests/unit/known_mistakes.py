"""Mistakes in what a user asks for, each with what every door says of it."""

from __future__ import annotations

from environments import Files

RECORD = 'version = 1\n[[importer]]\nname = "a"\nlanguage = "rust"\nimports = '


def table(text: str) -> Files:
    return {"pyproject.toml": f"[tool.rustext]\n{text}\n"}


def rule(text: str) -> Files:
    return table(f'[[tool.rustext.crate-rules]]\ncrate = "our-core"\n{text}')


# What is written beside the program, which variables are set, and what the line says of it.
MISTAKES: dict[str, tuple[Files, dict[str, str], str]] = {
    "misspelt option": (table("includes = []"), {}, "`includes`; did you mean `include`?"),
    "option in capitals": (table("Optional = 'never'"), {}, "did you mean `optional`?"),
    "underscore": (table("leave_plan = true"), {}, "did you mean `leave-plan`?"),
    "unheard-of option": (table("x = 1"), {}, "known are allow-system, crate-rules"),
    "value that is none of the choices": (table('optional = "always"'), {}, "'always'; it must be"),
    "misspelt value": (table('optional = "instaled"'), {}, 'did you mean "installed"?'),
    "choice of another type": (table("optional = [1]"), {}, "[1]; it must be one of"),
    "scope": (table('scope = "Native"'), {}, 'did you mean "native"?'),
    "one rule": (table('crate-rules = {crate = "a"}'), {}, "it must be an array of tables"),
    "misspelt key of a rule": (rule('import = ["json"]'), {}, "did you mean `imports`?"),
    "rule without modules": (rule("imports = []"), {}, "needs `crate` and `imports`"),
    "no version of a rule": (rule('imports = ["json"]\nversions = "new"'), {}, "our-core`: Inv"),
    "no such module of a rule": (rule('imports = ["jsn"]'), {}, "no module `jsn` here; did you"),
    "flag in quotes": (table('selftest = "true"'), {}, "must be true or false, without quotes"),
    "flag as a number": (table("leave-plan = 1"), {}, "`leave-plan` is 1; it must be true"),
    "command that cannot be split": (table("record = \"app.py 'x\""), {}, "which is no command: "),
    "command of blanks": (table('record = "  "'), {}, "which names no command"),
    "string for a list": (table('include = "json"'), {}, "'json'; it must be a list of strings"),
    "numbers in a list": (table("allow-system = [1]"), {}, "must be a list of strings"),
    "path for a module": (table('include = ["a/b.py"]'), {}, "'a/b.py', which is not the name"),
    "empty module": (table('include = [""]'), {}, "'', which is not the name of a module"),
    "relative module": (table('include = [".json"]'), {}, "'.json', which is not the name"),
    "no such module": (table('include = ["jsn"]'), {}, "no module `jsn` here; did you mean"),
    "no such submodule": (table('include = ["json.decode"]'), {}, "did you mean `json.decoder`?"),
    "no such target": (table('target = "manylinux_2_28"'), {}, "`manylinux_2_28` is no platform"),
    "target of another type": (table("target = 2"), {}, "`target` is 2; it must be a string"),
    "no such record": (table('trace = "gone.toml"'), {}, "gone.toml cannot be read: no such file"),
    "folder for a record": (table('trace = "."'), {}, "cannot be read: is a directory"),
    "null in a path": (table('trace = "a\\u0000b"'), {}, "it must be a string"),
    "record of another kind": (table('trace = "pyproject.toml"'), {}, "is no record of version"),
    "deep record": (
        {**table('trace = "t.toml"'), "t.toml": f"{RECORD}{'[' * 100_000}"}, {}, "t.toml",
    ),
    "flag for a version": (
        {**table('trace = "t.toml"'), "t.toml": "version = true"}, {}, "is no record of version",
    ),
    "number for a version": (
        {**table('trace = "t.toml"'), "t.toml": "version = 2.0"}, {}, "is no record of version",
    ),
    "string for the runs": (
        {**table('trace = "t.toml"'), "t.toml": "version = 2\nrun = 'app.py'"}, {},
        "`run` is no list of strings",
    ),
    "no digest of a program": (
        {**table('trace = "t.toml"'), "t.toml": "version = 2\nprogram = ['app']"}, {},
        "`program` holds 'app', which is no digest",
    ),
    "no module in a record": (
        {**table('trace = "t.toml"'), "t.toml": f"{RECORD}['a b/c']"}, {},
        "'a b/c', which is no module",
    ),
    "string of modules": ({**table('trace = "t.toml"'), "t.toml": f"{RECORD}'json'"}, {}, "t.toml"),
    "misspelt key of a record": (
        {**table('trace = "t.toml"'), "t.toml": "version = 2\nruns = []"}, {},
        "`runs` is no key of a record",
    ),
    "table of another type": ({"pyproject.toml": "[tool]\nrustext = 1"}, {}, "is not a table"),
    "misspelt table": ({"pyproject.toml": "[tool.rustex]"}, {}, "did you mean [tool.rustext]?"),
    "table in capitals": ({"pyproject.toml": "[tool.Rustext]"}, {}, "did you mean [tool.rustext]?"),
    "table without tool": ({"pyproject.toml": "[rustext]"}, {}, "did you mean [tool.rustext]?"),
    "tool in capitals": ({"pyproject.toml": "[Tool.rustext]"}, {}, "did you mean [tool.rustext]?"),
    "tools": ({"pyproject.toml": "[tools.rustext]"}, {}, "did you mean [tool.rustext]?"),
    "hyphen": ({"pyproject.toml": "[tool.rust-ext]"}, {}, "did you mean [tool.rustext]?"),
    "letters in another order": ({"pyproject.toml": "[tool.rustetx]"}, {}, "did you mean [tool"),
    "quoted table": ({"pyproject.toml": '["tool.rustext"]'}, {}, "did you mean [tool.rustext]?"),
    "second table": (
        {"pyproject.toml": "[tool.rustext]\n[tool.rust-ext]\ninclude = []"}, {}, "[tool.rust-ext]",
    ),
    "tool as a value": ({"pyproject.toml": "tool = 3"}, {}, "`tool` is not a table"),
    "cut short": ({"pyproject.toml": "[tool.rustext"}, {}, "is not valid TOML: Expected ']'"),
    "twice": (table("scope = 'rust'\nscope = 'rust'"), {}, "is not valid TOML: Cannot overwrite"),
    "not UTF-8": ({"pyproject.toml": b"a = '\xe4'"}, {}, "is not valid TOML: 'utf-8' codec"),
    "deep": ({"pyproject.toml": f"a = {'[' * 200_000}"}, {}, "is nested too deeply"),
    "deep tables": ({"pyproject.toml": f"a = {'{b=' * 100_000}"}, {}, "is nested too deeply"),
    "long number": ({"pyproject.toml": f"a = {'9' * 20_000}"}, {}, "more than 4300 digits"),
    "spaced number": ({"pyproject.toml": f"a = {'9_' * 20_000}9"}, {}, "more than 4300 digits"),
    "long key": ({"pyproject.toml": f"{'a.' * 200_000}a = 1"}, {}, "key of more than 500 parts"),
    "long quoted key": ({"pyproject.toml": f"{chr(34)}a{chr(34)} . " * 200_000}, {}, "500 parts"),
    "long header": ({"pyproject.toml": f"[{'a.' * 200_000}a]"}, {}, "key of more than 500 parts"),
    "huge": ({"pyproject.toml": "#" * (5 << 20)}, {}, "is larger than 4 MiB"),
    "flag": ({}, {"SELFTEST": "yes"}, "RUSTEXT_BUILD_SELFTEST is 'yes'; it must be 1 or 0"),
    "other flag": ({}, {"LEAVE_PLAN": "true"}, "RUSTEXT_BUILD_LEAVE_PLAN is 'true'"),
    "misspelt variable": ({}, {"SELFTESTS": "1"}, "did you mean `RUSTEXT_BUILD_SELFTEST`?"),
    "record of a variable": ({}, {"TRACE": "/gone.toml"}, "/gone.toml cannot be read"),
    "report in no folder": ({}, {"REPORT": "/gone/r.json"}, "the folder /gone does not exist"),
    "report in a folder's place": ({}, {"REPORT": "/"}, "cannot be written: it is a folder"),
    "report over something else": ({}, {"REPORT": __file__}, "is not a plan of rustext"),
}  # fmt: skip
