"""sql-groom: lint, fix and describe the SQL of a small warehouse repository."""
import shutil
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

import click
import sqlfluff
import sqlfluffrs
from jinja2 import Environment
from pathspec import PathSpec
from sqlfluff.core import FluffConfig, Lexer, Linter, Parser
from sqlfluff.core.plugin.host import get_plugin_manager, plugins_loaded

from groomlib.lineage import shape_of, tables_of

HERE = Path(__file__).resolve().parent
REPORT = """\
{% for job in jobs %}{{ job.name }}: {{ job.files }} files, {{ job.before }} -> {{ job.after }} findings
{% for code, number in job.codes %}   {{ code }} x{{ number }}
{% endfor %}{% endfor %}"""


def linter_for(folder: Path) -> Linter:
    from groomlib.rules import HOUSE_RULES  # after the plug-ins are loaded

    config = FluffConfig.from_path(str(folder))
    return Linter(config=config, user_rules=HOUSE_RULES)


def sql_files(folder: Path):
    spec = PathSpec.from_lines("gitignore", ["*.sql", "!broken.sql"])
    return sorted(folder / name for name in spec.match_tree_files(folder))


@click.group(chain=True)
@click.pass_context
def cli(ctx):
    ctx.ensure_object(dict)


@cli.command()
@click.pass_obj
def plugins(obj):
    """What the plug-in manager found."""
    manager = get_plugin_manager()
    bundles = sorted(t.__name__ for ts in manager.hook.get_templaters() for t in ts)
    click.echo(f"templaters: {', '.join(bundles)}")
    rules = Linter(dialect="ansi").rule_tuples()
    groups = Counter(rule.name.split(".")[0] for rule in rules)
    click.echo("rules: " + ", ".join(f"{k}={v}" for k, v in sorted(groups.items())))
    click.echo(f"dialects: {len(sqlfluff.list_dialects())} loaded={plugins_loaded.get()}")
    click.echo(f"rust: {'RsLexer' in dir(sqlfluffrs)}")
    obj["rules"] = len(rules)


@cli.command()
@click.pass_obj
def describe(obj):
    """Parse every model and list its tables."""
    for path in sql_files(obj["repo"]):
        linter = linter_for(path.parent)
        parsed = linter.parse_string(
            path.read_text(), fname=str(path), config=FluffConfig.from_path(str(path))
        )
        tree = parsed.root_variant().tree
        shape = ", ".join(f"{k}={v}" for k, v in sorted(shape_of(tree).items()))
        click.echo(f"{path.name}: {', '.join(tables_of(tree))} [{shape}]")


@cli.command()
@click.pass_obj
def groom(obj):
    """Lint, fix and lint again."""
    jobs = []
    for job in obj["settings"]["job"]:
        folder = obj["repo"] / job["path"]
        before, after, codes = 0, 0, Counter()
        for path in sql_files(folder):
            linter = linter_for(folder)
            result = linter.lint_paths((str(path),), fix=job["fix"])
            found = [v for v in result.get_violations() if not v.warning]
            before += len(found)
            codes.update(v.rule_code() for v in found)
            result.persist_changes(formatter=None)
            again = linter_for(folder).lint_paths((str(path),))
            after += again.num_violations()
        jobs.append(
            {
                "name": job["name"],
                "files": len(sql_files(folder)),
                "before": before,
                "after": after,
                "codes": sorted(codes.items()),
            }
        )
    click.echo(Environment().from_string(REPORT).render(jobs=jobs))
    for path in sql_files(obj["repo"]):
        click.echo(f"--- {path.name}")
        click.echo(path.read_text().rstrip())
    obj["jobs"] = jobs


@cli.command()
@click.pass_obj
def dialects(obj):
    """Lex and parse a probe statement in several dialects."""
    probe = obj["settings"]["dialects"]["probe"]
    for name in obj["settings"]["dialects"]["names"]:
        config = FluffConfig(overrides={"dialect": name})
        tokens, lex_errors = Lexer(config=config).lex(probe)
        tree = Parser(config=config).parse(tokens)
        bad = [seg.raw for seg in tree.recursive_crawl("unparsable")]
        click.echo(f"{name}: {len(tokens)} tokens, unparsable={bad or None}")
    try:
        sqlfluff.parse((obj["repo"] / "models" / "broken.sql").read_text(), dialect="ansi")
    except sqlfluff.api.APIParsingError as exc:
        click.echo(f"broken.sql: {str(exc).splitlines()[0]}")
        obj["broken"] = True


def main():
    with tempfile.TemporaryDirectory() as tmp:
        repo = Path(tmp) / "warehouse"
        shutil.copytree(HERE / "warehouse", repo)
        settings = tomllib.loads((repo / "jobs.toml").read_text())
        state = {"repo": repo, "settings": settings}
        cli.main(
            args=["plugins", "describe", "groom", "dialects"],
            obj=state,
            standalone_mode=False,
        )
    assert state["rules"] > 60 and state["broken"]
    for job in state["jobs"]:
        assert job["after"] < job["before"], job
    total = sum(job["before"] - job["after"] for job in state["jobs"])
    print(f"OK {total} findings groomed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
