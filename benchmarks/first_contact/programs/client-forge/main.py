"""A forge of code: an API client from OpenAPI, data classes from XSD, models from a database, and a project file."""
import importlib
import io
import json
import os
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from decimal import Decimal
from importlib.metadata import entry_points
from pathlib import Path

import httpx
import inflect
from click.testing import CliRunner
from jinja2 import Environment, PackageLoader, StrictUndefined, UndefinedError
from openapi_python_client import Config, generate
from openapi_python_client.cli import app
from openapi_python_client.config import ConfigFile, MetaType
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruff import find_ruff_bin
from sqlacodegen.generators import CodeGenerator
from sqlalchemy import MetaData, create_engine, select, text
from sqlalchemy.orm import Session
from typer.testing import CliRunner as TyperRunner
from xsdata.cli import cli as xsdata_cli
from xsdata.exceptions import ParserError
from xsdata.formats.dataclass.context import XmlContext
from xsdata.formats.dataclass.parsers import JsonParser, XmlParser
from xsdata.formats.dataclass.parsers.config import ParserConfig
from xsdata.formats.dataclass.parsers.handlers import LxmlEventHandler, XmlEventHandler
from xsdata.formats.dataclass.serializers import JsonSerializer, XmlSerializer
from xsdata.formats.dataclass.serializers.config import SerializerConfig

HERE = Path(__file__).resolve().parent
TABLES = [
    "CREATE TABLE quay (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL UNIQUE)",
    "CREATE TABLE berth (id INTEGER PRIMARY KEY, quay_id INTEGER NOT NULL REFERENCES quay(id), length NUMERIC(6, 2), free BOOLEAN DEFAULT 1)",
    "CREATE INDEX berth_length ON berth (length)",
    "INSERT INTO quay VALUES (1, 'north')",
    "INSERT INTO berth VALUES (1, 1, 12.5, 1), (2, 1, 8, 0)",
]


class Forge(BaseModel):
    package: str
    targets: list[str]
    line_length: int = 100


def settings(folder):
    yaml = YAML()
    data = yaml.load("# what to forge\npackage: harbour  # the name\ntargets: [client, xml, orm]\n")
    data["line_length"] = 90
    with (folder / "forge.yaml").open("w") as out:
        yaml.dump(data, out)
    print((folder / "forge.yaml").read_text().split("\n")[1])
    try:
        Forge.model_validate({"targets": "client"})
    except ValidationError as error:
        print("settings refused", [(e["loc"][0], e["type"]) for e in error.errors()])
    return Forge.model_validate(YAML(typ="safe").load(folder / "forge.yaml"))


def client(folder, forge):
    target = folder / "client"
    config = Config.from_sources(
        ConfigFile(post_hooks=[], package_name_override=f"{forge.package}_client", literal_enums=False),
        MetaType.POETRY, HERE / "openapi.yaml", "utf-8", overwrite=True, output_path=target)
    with redirect_stdout(io.StringIO()):
        problems = generate(config=config, custom_template_path=HERE / "templates")
    print("client", len(problems), sorted(p.name for p in target.rglob("*.py") if p.name != "__init__.py"))
    print((target / "README.md").read_text().split("\n")[2])
    sys.path.insert(0, str(target))
    module = importlib.import_module("harbour_client")
    berths = importlib.import_module("harbour_client.api.berths.list_berths")
    tide = importlib.import_module("harbour_client.api.tides.tide_of")

    def answer(request):
        if request.url.path.startswith("/v2/tides"):
            return httpx.Response(200, json={"high": "2024-03-04T05:06:00Z", "metres": 4.2})
        assert request.url.params["limit"] == "2"
        return httpx.Response(200, json=[{"number": 7, "length": 12.5, "quay": "north", "boat": {"name": "Heron", "class": "yawl"}, "free_from": None}])

    api = module.Client(base_url="https://harbour.example.org/v2", raise_on_unexpected_status=True)
    api.set_httpx_client(httpx.Client(base_url="https://harbour.example.org/v2", transport=httpx.MockTransport(answer)))
    found = berths.sync(client=api, limit=2)
    print("berth", found[0].number, found[0].boat.class_, found[0].quay.value, tide.sync(date(2024, 3, 4), client=api).metres)
    run = TyperRunner()
    (folder / "broken.yaml").write_text("openapi: 3.0.0\ninfo: {title: x}\n")
    told = run.invoke(app, ["generate", "--path", str(folder / "broken.yaml"), "--output-path", str(folder / "no")])
    print("client refused", told.exit_code, "Failed to parse" in told.output)


def xml(folder, forge):
    os.environ["PATH"] = os.path.dirname(find_ruff_bin()) + os.pathsep + os.environ.get("PATH", "")
    old = os.getcwd()
    os.chdir(folder)
    try:
        done = CliRunner().invoke(xsdata_cli, ["generate", str(HERE / "manifest.xsd"), "--package", f"{forge.package}_xml", "--docstring-style", "Google", "--max-line-length", str(forge.line_length)])
        print("xsdata", done.exit_code, sorted(p.name for p in (folder / "harbour_xml").iterdir()))
        init = CliRunner().invoke(xsdata_cli, ["init-config", "conf.xml"])
        print("config", init.exit_code, Path("conf.xml").read_text().count("Convention"))
    finally:
        os.chdir(old)
    sys.path.insert(0, str(folder))
    kinds = importlib.import_module("harbour_xml")
    load = kinds.Manifest(ship="Heron", crate=[kinds.Crate(mark="A1", content="rope", weight=Decimal("12.50"), hazard=kinds.Hazard.FLAMMABLE)])
    context = XmlContext()
    source = XmlSerializer(context=context, config=SerializerConfig(indent="  ")).render(load, ns_map={"m": "urn:harbour:manifest"})
    for handler in (LxmlEventHandler, XmlEventHandler):
        back = XmlParser(context=context, handler=handler).from_string(source, kinds.Manifest)
        print(handler.__name__, back == load, back.crate[0].weight, back.crate[0].hazard.value)
    as_json = JsonSerializer(context=context).render(back)
    print("json", json.loads(as_json)["crate"][0]["mark"], JsonParser(context=context).from_string(as_json, kinds.Manifest).ship)
    try:
        XmlParser(config=ParserConfig(fail_on_unknown_properties=True)).from_string(source.replace("m:content", "m:stuff"), kinds.Manifest)
    except ParserError as error:
        print("xml refused", str(error)[:22])


def orm(folder, _):
    engine = create_engine(f"sqlite:///{folder / 'harbour.db'}")
    with engine.begin() as connection:
        for statement in TABLES:
            connection.execute(text(statement))
    makers = {e.name: e for e in entry_points(group="sqlacodegen.generators")}
    print("generators", sorted(makers))
    for name in ("tables", "declarative", "dataclasses"):
        metadata = MetaData()
        metadata.reflect(engine)
        maker = makers[name].load()(metadata, engine, {"use_inflect"} if name != "tables" else set())
        code = maker.generate()
        (folder / f"models_{name}.py").write_text(code)
        print(name, isinstance(maker, CodeGenerator), len(code.splitlines()), code.count("relationship("))
    models = importlib.import_module("models_declarative")
    with Session(engine) as session:
        quay = session.scalars(select(models.Quay)).one()
        print("model", quay.name, sorted(b.id for b in quay.berths if b.free), inflect.engine().plural("berth", len(quay.berths)))
    engine.dispose()


def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        forge = settings(folder)
        quiet = io.StringIO()
        with redirect_stderr(quiet):
            for job in (client, xml, orm):
                job(folder, forge)
        pages = Environment(loader=PackageLoader("openapi_python_client"), undefined=StrictUndefined)
        print("templates", len([t for t in pages.list_templates() if t.endswith(".jinja")]) > 20)
        try:
            pages.from_string("{{ nothing.here }}").render()
        except UndefinedError as error:
            print("template refused", error)
    print("OK forged", ", ".join(forge.targets))


if __name__ == "__main__":
    main()
