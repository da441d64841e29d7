"""A train of releases: a project made by Copier from a template of questions, its commits judged by Commitizen, its version raised by bump-my-version, news joined by Towncrier, sessions run by nox, its tag told by Dunamai."""
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import nox
import yaml
from bumpversion.bump import do_bump
from bumpversion.config import get_configuration
from click.testing import CliRunner
from commitizen.config import read_cfg
from commitizen.factory import committer_factory
from commitizen.version_schemes import Pep440, SemVer
from copier import run_copy
from dunamai import Pattern, Style, Version, serialize_pep440
from tomlkit import parse as parse_toml
from towncrier._shell import cli as towncrier

TEMPLATE = {
    "copier.yml": """_subdirectory: project
name:
  type: str
  validator: "{% if not name.isidentifier() %}not a name{% endif %}"
license:
  type: str
  choices: [MIT, Apache-2.0]
  default: MIT
tests: {type: bool, default: true}
""",
    "project/pyproject.toml.jinja": """[project]
name = "{{ name }}"
version = "0.3.1"
license = "{{ license }}"

[tool.commitizen]
name = "cz_conventional_commits"
tag_format = "v$version"

[tool.bumpversion]
current_version = "0.3.1"

[[tool.bumpversion.files]]
filename = "{{ name }}/__init__.py"

[tool.towncrier]
directory = "news"
filename = "CHANGES.md"
name = "{{ name }}"
title_format = "## {version} ({project_date})"
""",
    "project/{{ name }}/__init__.py.jinja": '__version__ = "0.3.1"\n',
    "project/news/7.feature.md.jinja": "{{ name | capitalize }} can fly.\n",
    "project/news/9.bugfix.md": "It no longer falls.\n",
    "project/{% if tests %}tests{% endif %}/test_it.py": "def test_it():\n    assert True\n",
    "project/{{ _copier_conf.answers_file }}.jinja": "{{ _copier_answers | to_nice_yaml }}",
}

NOXFILE = """import nox

nox.options.default_venv_backend = "none"


@nox.session
@nox.parametrize("kind", ["unit", "docs"])
def check(session, kind):
    with open("ran.txt", "a") as f:
        f.write(f"{kind} {session.posargs}\\n")


@nox.session(tags=["late"], requires=["check"])
def release(session):
    session.run("git", "--version", external=True, silent=True)
    with open("ran.txt", "a") as f:
        f.write("release\\n")
"""
MESSAGES = ["feat(wings): fly higher", "fix: land softly", "Fixed stuff", "feat!: no more feet\n\nBREAKING CHANGE: feet are gone"]


def make(d, name):
    for path, text in TEMPLATE.items():
        target = d / "template" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    try:
        run_copy(str(d / "template"), d / "bad", data={"name": "no-name"}, defaults=True, quiet=True)
        refused = False
    except ValueError:
        refused = True
    run_copy(str(d / "template"), d / name, data={"name": name, "license": "Apache-2.0"}, defaults=True, quiet=True)
    answers = yaml.safe_load((d / name / ".copier-answers.yml").read_text())
    return refused, {k: v for k, v in answers.items() if not k.startswith("_")}


def judge():
    cz = committer_factory(read_cfg())
    pattern = re.compile(cz.schema_pattern())
    good = [bool(pattern.match(m)) for m in MESSAGES]
    changed = cz.message({"prefix": "feat", "scope": "wings", "subject": "fold", "body": "", "footer": "", "is_breaking_change": True})
    return good, changed, [str(Pep440("0.3.1").bump(i)) for i in ("PATCH", "MINOR", "MAJOR")], str(SemVer("0.3.1").bump("MINOR", prerelease="beta"))


def raise_version():
    config = get_configuration("pyproject.toml", commit=False, tag=False, allow_dirty=True)
    do_bump("minor", None, config, Path("pyproject.toml"))
    table = parse_toml(Path("pyproject.toml").read_text())
    return str(table["tool"]["bumpversion"]["current_version"]), Path("kite/__init__.py").read_text().strip()


def news(version):
    result = CliRunner().invoke(towncrier, ["build", "--version", version, "--date", "2026-11-30", "--keep"])
    assert result.exit_code == 0, result.output
    return [line for line in Path("CHANGES.md").read_text().splitlines() if line.startswith(("#", "-"))]


def sessions():
    Path("noxfile.py").write_text(NOXFILE)
    argv, sys.argv = sys.argv, ["nox", "-s", "check", "release", "--report", "report.json", "--", "fast"]
    try:
        nox.main()
    except SystemExit as e:
        code = e.code
    finally:
        sys.argv = argv
    report = json.loads(Path("report.json").read_text())
    return code, [(s["signature"] if "signature" in s else s["name"], s["result"]) for s in report["sessions"]], Path("ran.txt").read_text().splitlines()


def main():
    d = Path(tempfile.mkdtemp())
    print("copier", *make(d, "kite"))
    os.chdir(d / "kite")
    print("commitizen", *judge())
    version, source = raise_version()
    lines = news(version)
    print("towncrier", lines)
    code, ran, log = sessions()
    print("nox", code, ran, log)
    tag = Version("0.4.0", distance=3, commit="abc1234", dirty=False)
    matched = re.match(Pattern.Default.regex(), "v0.4.0")
    assert version == "0.4.0" and "0.4.0" in source and sorted(os.listdir(".")).count("tests") == 1
    print("OK", tag.serialize(style=Style.Pep440), tag.serialize(style=Style.SemVer), serialize_pep440("1.2", dev=4), matched is not None, len(log))


main()
