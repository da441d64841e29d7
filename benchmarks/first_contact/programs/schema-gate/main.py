"""A gate for settings: written in Jsonnet with imports, checked by check-jsonschema and Cerberus, read into classes by jsonargparse and Cyclopts, let through by a Biscuit token."""
import contextlib
import dataclasses
import datetime
import io
import json
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import regress
import rjsonnet
from biscuit_auth import AuthorizationError, AuthorizerBuilder, Biscuit, BiscuitBuilder, BlockBuilder, KeyPair
from cerberus import Validator
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner
from cyclopts import App, Parameter, validators
from jsonargparse import ArgumentError, ArgumentParser, Namespace
from ruamel.yaml import YAML

LIBRARY = """{
  service(name, port):: { name: name, port: port, tags: ["web"], url: "http://%s:%d" % [name, port] },
  half(n):: std.floor(n / 2),
}"""
SETTINGS = """local lib = import 'lib.libsonnet';
{
  services: [lib.service('depot', 8000 + i) for i in std.range(0, 2)],
  replicas: lib.half(7), owner: std.extVar('owner'), since: '2026-11-30',
  digest: std.native('shout')(self.owner),
}"""
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object", "required": ["services", "replicas"],
    "properties": {
        "services": {"type": "array", "items": {"type": "object", "properties": {
            "name": {"type": "string", "pattern": "^\\p{Ll}+$"}, "port": {"type": "integer", "maximum": 9000}, "url": {"type": "string", "format": "uri"}}}},
        "replicas": {"type": "integer", "minimum": 1}, "since": {"type": "string", "format": "date"},
    },
}
WORKFLOW = "name: ci\non: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n"


@dataclasses.dataclass
class Service:
    name: str
    port: int = 80
    tags: list[str] = dataclasses.field(default_factory=list)
    url: str | None = None


def jsonnet(d):
    files = {"lib.libsonnet": LIBRARY}
    text = rjsonnet.evaluate_snippet(
        "settings.jsonnet", SETTINGS, ext_vars={"owner": "Ann"},
        import_callback=lambda folder, name: (name, files[name]), native_callbacks={"shout": (("s",), lambda s: s.upper() + "!")},
    )
    (d / "settings.json").write_text(text)
    return json.loads(text)


def schemas(d, settings):
    (d / "schema.json").write_text(json.dumps(SCHEMA))
    (d / "bad.json").write_text(json.dumps({**settings, "replicas": 0, "since": "yesterday"}))
    (d / "ci.yml").write_text(WORKFLOW)
    (d / "bad.yml").write_text(WORKFLOW.replace("runs-on", "runs_on"))
    runner = CliRunner()
    results = []
    for args in (
        ["--schemafile", str(d / "schema.json"), str(d / "settings.json")],
        ["--schemafile", str(d / "schema.json"), "-o", "json", str(d / "bad.json")],
        ["--builtin-schema", "vendor.github-workflows", str(d / "ci.yml")],
        ["--builtin-schema", "vendor.github-workflows", str(d / "bad.yml")],
        ["--check-metaschema", str(d / "schema.json")],
    ):
        results.append(runner.invoke(check_jsonschema, args))
    errors = json.loads(results[1].output)["errors"]
    return [r.exit_code for r in results], sorted(e["path"] for e in errors)


def cerberus(settings):
    class Gate(Validator):
        def _check_with_even(self, field, value):
            if value % 2:
                self._error(field, "must be even")

        def _normalize_coerce_date(self, value):
            return datetime.date.fromisoformat(value)

    rules = {
        "services": {"type": "list", "schema": {"type": "dict", "allow_unknown": True, "schema": {"port": {"min": 8001}}}},
        "replicas": {"check_with": "even"}, "since": {"type": "date", "coerce": "date"}, "color": {"default": "red", "allowed": ["red"]},
    }
    gate = Gate(rules, purge_unknown=True)
    return gate.validate(settings), gate.errors, sorted(gate.document)


def classes(d, settings):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_argument("--services", type=list[Service])
    parser.add_argument("--level", type=Literal["low", "high"], default="low")
    with open(d / "services.yaml", "w") as f:
        YAML().dump({"services": [{k: v for k, v in s.items()} for s in settings["services"]]}, f)
    config = parser.parse_args([f"--config={d / 'services.yaml'}", "--level=high"])
    try:
        parser.parse_args(["--level=middle"])
    except ArgumentError as e:
        refused = "middle" in str(e)
    made = parser.instantiate(config)
    app = App(name="gate", version="1", result_action="return_value")

    @app.command
    def start(port: Annotated[int, Parameter(validator=validators.Number(gte=1000))], /, *, service: Service, dry: bool = False):
        """Start one service.

        Parameters
        ----------
        port
            Where it listens.
        """
        return dataclasses.replace(service, port=port), dry

    started = app(["start", "9100", "--service.name", "mill", "--dry"])
    help_text = io.StringIO()
    with contextlib.redirect_stdout(help_text):
        app(["start", "--help"])
    return isinstance(config, Namespace), made.services[2], refused, started, "Where it listens" in help_text.getvalue()


def token():
    root = KeyPair()
    issued = BiscuitBuilder("user({who}); right({who}, \"settings\", \"write\");", {"who": "ann"}).build(root.private_key)
    narrowed = issued.append(BlockBuilder("check if operation(\"read\");"))
    back = Biscuit.from_base64(narrowed.to_base64(), root.public_key)
    answers = []
    for operation in ("read", "write"):
        rules = AuthorizerBuilder("operation({op}); allow if user($u), right($u, \"settings\", \"write\");", {"op": operation})
        try:
            answers.append(rules.build(back).authorize())
        except AuthorizationError as e:
            answers.append(type(e).__name__)
    return answers, back.block_count()


def main():
    d = Path(tempfile.mkdtemp())
    settings = jsonnet(d)
    codes, paths = schemas(d, settings)
    print("check-jsonschema", codes, paths)
    print("cerberus", *cerberus(settings))
    print("classes", *classes(d, settings))
    match = regress.Regex(r"(?<year>\d{4})-\p{Nd}+", "u").find(settings["since"])
    assert codes == [0, 1, 0, 1, 0] and settings["replicas"] == 3, codes
    print("OK", settings["digest"], settings["services"][1]["url"], token(), settings["since"][match.named_group("year")])


main()
