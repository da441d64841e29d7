"""A library's prompt shelf: the llm command line with its own plug-ins, logged and embedded into SQLite, reported with sqlite-utils."""
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("LLM_USER_PATH", tempfile.mkdtemp(prefix="shelf"))
import click
import llm
import puremagic
import sqlite_utils
import tomlkit
from click.testing import CliRunner
from jinja2 import Environment
from llm.cli import cli
from llm.plugins import load_plugins, pm
from pydantic import BaseModel
from sqlite_utils.cli import cli as sqlite_cli

import shelf_plugin

HOME = pathlib.Path(os.environ["LLM_USER_PATH"])
REPORT = Environment(trim_blocks=True).from_string("""{% for row in rows %}
* {{ row.model }}: {{ row.n }} answers
{% endfor %}""")


class Book(BaseModel):
    title: str
    copies: int


def start():
    load_plugins()
    if not pm.is_registered(shelf_plugin):
        pm.register(shelf_plugin, "shelf")
        shelf_plugin.register_commands(cli)


def run(*args, text=None, tool=cli):
    result = CliRunner().invoke(tool, list(args), input=text)
    out = result.output.strip()
    if result.exit_code and result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    print(f"$ {args[0]} -> {result.exit_code}")
    return out


def python_api():
    model = llm.get_model("lib")
    print("answer", model.prompt("the quick brown fox", system="Clerk", shout=True).text().strip())
    book = Book.model_validate_json(model.prompt("dune by herbert", schema=Book).text())
    print("schema", book)
    chain = model.chain("How many?", tools=[shelf_plugin.count_books])
    print("tool", chain.text())
    talk = model.conversation()
    talk.prompt("one two").text()
    talk.prompt("three").text()
    print("conversation", [r.text().strip() for r in talk.responses])
    try:
        llm.get_model("gpt-none")
    except llm.UnknownModelError as error:
        print("unknown", error)
    try:
        model.prompt("x", shout="maybe").text()
    except ValueError as error:
        print("option", type(error).__name__)


def command_line():
    print([p.strip() for p in run("models", "list", "-q", "librarian").splitlines()])
    print(run("-m", "lib", "-f", "note:atlas", "where is it"))
    print(run("-t", "shelf:review", text="a long novel"))
    print(run("-m", "lib", "--schema", "title, copies int", "emma by austen"))
    print(run("-m", "lib", "-T", "count_books", "how many poems?"))
    print(run("shelf-info", "--plain"))
    print(run("aliases", "set", "keeper", "librarian"), llm.get_model("keeper").model_id)
    print(run("templates", "loaders").splitlines()[0])
    print(run("schemas", "dsl", "name, age int").replace("\n", "").replace(" ", ""))
    plugins = run("plugins", "--all")
    print("github fragments", "llm-fragments-github" in plugins, "default tools", "llm_version" in run("tools", "list"))
    print("openai known", "gpt-4o-mini" in run("models", "list"))
    print(run("-m", "nobody", "hello"))


def embeddings():
    shelf = llm.Collection("books", sqlite_utils.Database(str(HOME / "embeddings.db")), model_id="hash-embed")
    shelf.embed_multi([("moby", "a white whale at sea"), ("emma", "a match maker in town"), ("life", "life of a tiger at sea")], store=True)
    print("similar", [(e.id, round(e.score, 3)) for e in shelf.similar("a whale at sea", number=2)], run("similar", "books", "-c", "tiger", "-n", "1", "-d", str(HOME / "embeddings.db"))[:14])


def report():
    db = sqlite_utils.Database(str(HOME / "logs.db"))
    rows = list(db.query("select model, count(*) as n from responses group by model"))
    print(REPORT.render(rows=rows).strip())
    loans = db["loans"].insert_all([{"id": i, "book": b, "days": d} for i, (b, d) in enumerate([("moby", 3), ("emma", 40), ("emma", 9)])], pk="id")
    loans.enable_fts(["book"], create_triggers=True)
    print("fts", [r["id"] for r in loans.search("emma")], loans.columns_dict)
    loans.extract("book", table="titles")
    path = str(HOME / "logs.db")
    print(run("rows", path, "titles", "--fmt", "github", tool=sqlite_cli))
    print(run("query", path, "select max(days) as longest from loans", "--csv", tool=sqlite_cli).split())
    print("magic", puremagic.from_file(path))
    settings = tomlkit.document()
    settings.add(tomlkit.comment("shelf settings"))
    settings["model"] = {"default": llm.get_default_model()}
    print(tomlkit.dumps(settings).splitlines())


if __name__ == "__main__":
    start()
    if sys.argv[1:]:
        cli()
    python_api()
    command_line()
    embeddings()
    report()
    click.echo("OK prompt-shelf")
