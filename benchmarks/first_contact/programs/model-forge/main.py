"""A forge of models: Pydantic classes and dataclasses generated from JSON Schema and OpenAPI, formatted by Black, imported, checked against a Rust validator."""
import importlib.util
import json
import sys
import tempfile
from pathlib import Path

import jsonschema_rs
import yaml
from datamodel_code_generator import DataModelType, InputFileType, generate

SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#", "title": "Ticket", "type": "object", "required": ["id", "mail"],
    "properties": {"id": {"type": "integer", "minimum": 1}, "mail": {"type": "string", "pattern": "^[^@]+@[^@]+$"}, "state": {"enum": ["open", "done"]}, "due": {"type": "string", "format": "date"}},
}
API = """
openapi: 3.0.3
info: {title: t, version: "1"}
paths: {}
components:
  schemas:
    Seat: {type: object, required: [row], properties: {row: {type: integer}, taken: {type: boolean, default: false}}}
"""


def load(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main():
    d = Path(tempfile.mkdtemp())
    generate(json.dumps(SCHEMA), input_file_type=InputFileType.JsonSchema, input_filename="t.json", output=d / "ticket.py", output_model_type=DataModelType.PydanticV2BaseModel)
    generate(API, input_file_type=InputFileType.OpenAPI, input_filename="a.yaml", output=d / "seat.py", output_model_type=DataModelType.DataclassesDataclass)
    Ticket = load(d / "ticket.py", "ticket").Ticket
    Seat = load(d / "seat.py", "seat").Seat
    check = jsonschema_rs.validator_for(SCHEMA)
    agree = []
    for doc in ({"id": 1, "mail": "a@b"}, {"id": 0, "mail": "a@b"}, {"id": 2, "mail": "nope"}):
        try:
            Ticket.model_validate(doc)
            ours = True
        except ValueError:
            ours = False
        agree.append((ours, check.is_valid(doc)))
    print("OK", agree, Seat(row=3), len(yaml.safe_load(API)["components"]["schemas"]))


main()
