"""Publishes a seed register: yoyo migrates the database, sqlite-utils fills it, Pony queries it, Datasette serves it."""
import asyncio
import logging
import tempfile
from pathlib import Path

import orjson
from click.testing import CliRunner
from datasette.app import Datasette
from datasette.plugins import pm
from jsonschema import Draft202012Validator
from pony import orm
from sqlite_utils import Database
from sqlite_utils.cli import cli as sqlite_cli
from yoyo import get_backend, read_migrations

import ratings

HERE = Path(__file__).resolve().parent
logging.disable(logging.WARNING)

PLANTS = [
    {"id": 1, "name": "Broad bean", "family": "Fabaceae", "height_cm": 110, "notes_markdown": "Sow *early*.\n\n- pinch tips\n- net from **pigeons**"},
    {"id": 2, "name": "Kale", "family": "Brassicaceae", "height_cm": 70, "notes_markdown": "See [the almanac](https://example.org/kale)<script>x()</script>"},
    {"id": 3, "name": "Radish", "family": "Brassicaceae", "height_cm": 20, "notes_markdown": None},
    {"id": 4, "name": "Pea", "family": "Fabaceae", "height_cm": 150, "notes_markdown": "Give it `sticks`."},
]
SOWINGS = [
    {"id": n, "plant_id": 1 + n % 4, "bed": "NESW"[n % 3], "packets": n % 5 + 1, "link": orjson.dumps({"href": f"https://example.org/b/{n}", "label": f"Bed <{n}>"}).decode()}
    for n in range(1, 13)
]
SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["id", "name", "family"],
        "properties": {"name": {"type": "string", "minLength": 3}, "height_cm": {"type": "integer", "minimum": 1}},
    },
}


def migrate(path):
    backend = get_backend(f"sqlite:///{path}")
    steps = read_migrations(str(HERE / "migrations"))
    with backend.lock():
        backend.apply_migrations(backend.to_apply(steps))
        backend.rollback_one(steps[-1])
        rolled = [m.id for m in backend.to_apply(steps)]
        backend.apply_migrations(backend.to_apply(steps))
    print("migrations", [m.id for m in steps], "again after rollback", rolled)
    backend.connection.close()


def fill(path):
    bad = [{"id": 9, "name": "X", "height_cm": 0}]
    print("refused", sorted(e.validator for e in Draft202012Validator(SCHEMA).iter_errors(bad)))
    Draft202012Validator(SCHEMA).validate(PLANTS)
    db = Database(path)
    db["plants"].insert_all(PLANTS, pk="id")
    db["sowings"].insert_all(SOWINGS, pk="id")
    db["plants"].enable_fts(["name", "notes_markdown"], create_triggers=True, tokenize="porter")
    db["plants"].transform(rename={"height_cm": "height"})
    db.create_view("by_family", "select family, count(*) as n, max(height) as tallest from plants group by family")
    print("found", [r["name"] for r in db["plants"].search("pigeon")], db["plants"].columns_dict["height"].__name__)
    db.close()


def command_line(path):
    run = CliRunner()
    print(run.invoke(sqlite_cli, ["query", str(path), "select * from by_family order by 1", "--fmt", "github"]).output.rstrip())
    text = run.invoke(sqlite_cli, ["rows", str(path), "plants", "-c", "name", "-c", "height", "--csv"]).output
    print("csv", text.split())
    print(run.invoke(sqlite_cli, ["analyze-tables", str(path), "sowings", "-c", "bed"]).output.split("\n")[0])
    print("exit", run.invoke(sqlite_cli, ["query", str(path), "select nothing from nowhere"]).output.strip())


def model(path):
    db = orm.Database()

    class Plant(db.Entity):
        _table_ = "plants"
        name = orm.Required(str, unique=True)
        family = orm.Required(str)
        height = orm.Optional(int)
        notes_markdown = orm.Optional(str, nullable=True)
        sowings = orm.Set("Sowing")

    class Sowing(db.Entity):
        _table_ = "sowings"
        plant = orm.Required(Plant, column="plant_id")
        bed = orm.Required(str)
        packets = orm.Required(int)

    db.bind(provider="sqlite", filename=str(path))
    db.generate_mapping(create_tables=False)
    with orm.db_session:
        totals = orm.select((s.plant.family, sum(s.packets)) for s in Sowing if s.packets > 1).order_by(1)[:]
        tall = orm.select(p for p in Plant if p.height > 60).order_by(orm.desc(Plant.height)).first()
        print("totals", list(totals), "tallest", tall.name, [s.bed for s in tall.sowings.order_by(Sowing.id)])
        try:
            Plant(name="Pea", family="Fabaceae")
            orm.flush()
        except (orm.CacheIndexError, orm.TransactionIntegrityError) as error:
            print("pony refused", type(error).__name__)
            orm.rollback()
    db.disconnect()


async def publish(path):
    ds = Datasette(
        [str(path)],
        immutables=[],
        template_dir=str(HERE / "templates"),
        metadata={
            "title": "Seed register",
            "databases": {"garden": {"queries": {"beds": {"sql": "select bed, stars(sum(packets)) as s from sowings where bed >= :low group by bed"}},
                                     "tables": {"plants": {"facets": ["family"]}, "sowings": {"sort_desc": "packets"}}}},
        },
        settings={"default_page_size": 5, "allow_download": False},
    )
    await ds.invoke_startup()
    names = sorted(p["name"] for p in (await ds.client.get("/-/plugins.json")).json() if "." not in p["name"])
    print("plugins", [n for n in names if n.startswith("datasette-")])
    home = await ds.client.get("/")
    page = await ds.client.get("/garden/plants")
    print("pages", home.status_code, "Seed register" in home.text, "<strong>pigeons</strong>" in page.text, "<script>x" in page.text)
    special = await ds.client.get("/garden/sowings")
    print("template", "Sowing register" in special.text, special.text.count('<tr>'), "Bed &lt;" in special.text)
    facets = orjson.loads((await ds.client.get("/garden/plants.json?_facet=family&_shape=objects")).content)
    print("facets", [(r["value"], r["count"]) for r in facets["facet_results"]["family"]["results"]])
    print("query", (await ds.client.get("/garden/beds.tsv?low=E")).text.split("\n"))
    print("csv", (await ds.client.get("/garden/by_family.csv")).text.split())
    style = await ds.client.get("/-/static/app.css")
    lost = await ds.client.get("/garden/weeds")
    wrong = await ds.client.get("/garden.json?sql=delete+from+plants")
    print("others", style.status_code, style.headers["content-type"].split(";")[0], lost.status_code, wrong.status_code, wrong.json()["error"])


def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "garden.db"
        migrate(path)
        fill(path)
        command_line(path)
        model(path)
        pm.register(ratings, name="ratings")
        asyncio.run(publish(path))
    print("OK register published")


if __name__ == "__main__":
    main()
