"""An audit of tables: Frictionless describes, validates and transforms CSV, JSON and Excel files, a data package, checks by name, a report validated and in Polars."""
import json
import os
import tempfile
from pathlib import Path

import polars as pl
from frictionless import Checklist, Package, Pipeline, Resource, Schema, checks, describe, fields, steps, validate
from openpyxl import Workbook
from pydantic import BaseModel


class Problem(BaseModel):
    file: str
    kind: str
    row: int | None = None


def main():
    os.chdir(tempfile.mkdtemp())
    Path("a.csv").write_text("id,name,price\n1,tea,2.5\n2,bun,x\n2,,3\n")
    Path("b.json").write_text(json.dumps([{"id": 1, "d": "2026-01-01"}, {"id": 2, "d": "2026-02-30"}]))
    book = Workbook()
    book.active.append(["id", "n"])
    book.active.append([1, 5])
    book.save("c.xlsx")
    inferred = describe("a.csv")
    schema = Schema.from_descriptor({"fields": [{"name": "id", "type": "integer", "constraints": {"unique": True}}, {"name": "name", "type": "string", "constraints": {"required": True}}, {"name": "price", "type": "number"}]})
    report = validate(Resource("a.csv", schema=schema), checklist=Checklist(checks=[checks.table_dimensions(max_rows=2)]))
    problems = [Problem(file="a.csv", kind=k, row=r) for r, k in report.flatten(["rowNumber", "type"])]
    dates = validate(Resource("b.json", schema=Schema(fields=[fields.IntegerField(name="id"), fields.DateField(name="d")])))
    sheet = Resource("c.xlsx").read_rows()
    out = Resource("a.csv").transform(Pipeline(steps=[steps.table_normalize(), steps.field_remove(names=["price"]), steps.row_filter(formula="id == 2")]))
    package = Package(resources=[Resource("a.csv", name="a"), Resource("b.json", name="b")])
    package.to_json("datapackage.json")
    again = Package("datapackage.json")
    Resource("a.csv").write("d.jsonl")
    frame = pl.DataFrame([p.model_dump() for p in problems])
    print("OK", [f.type for f in inferred.schema.fields], frame.group_by("kind").len().sort("kind").rows(), dates.valid, sheet[0]["n"], len(out.read_rows()), again.resource_names, Path("d.jsonl").exists())


main()
