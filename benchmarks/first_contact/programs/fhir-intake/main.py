"""A hospital's intake: FHIR resources by their type's name, validated, flattened into DuckDB, a Rich summary, NDJSON by orjson."""
import io
import tempfile
from pathlib import Path

import duckdb
import orjson
from dateutil.relativedelta import relativedelta
from fhir.resources import get_fhir_model_class
from fhir.resources.bundle import Bundle
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

RAW = [
    {"resourceType": "Patient", "id": "p1", "active": True, "birthDate": "1980-02-29", "name": [{"family": "Sommer", "given": ["Ada"]}]},
    {"resourceType": "Patient", "id": "p2", "active": False, "birthDate": "2001-07-01", "name": [{"family": "Winter", "given": ["Bo"]}]},
    {"resourceType": "Observation", "id": "o1", "status": "final", "code": {"text": "pulse"}, "subject": {"reference": "Patient/p1"}, "valueQuantity": {"value": 62, "unit": "/min"}},
    {"resourceType": "Medication", "id": "m1", "code": {"text": "ibuprofen"}},
    {"resourceType": "Encounter", "id": "e1", "status": "finished", "class": [{"text": "AMB"}], "subject": {"reference": "Patient/p2"}},
]


def main():
    items = [get_fhir_model_class(r["resourceType"]).model_validate(r) for r in RAW]
    bundle = Bundle(type="collection", entry=[{"resource": i.model_dump()} for i in items])
    again = Bundle.model_validate_json(bundle.model_dump_json())
    kinds = sorted({e.resource.get_resource_type() for e in again.entry})
    try:
        get_fhir_model_class("Observation").model_validate({"resourceType": "Observation", "status": "final"})
        wrong = 0
    except ValidationError as e:
        wrong = e.error_count()
    lines = b"\n".join(orjson.dumps(orjson.loads(i.model_dump_json())) for i in items)
    path = Path(tempfile.mkdtemp()) / "in.ndjson"
    path.write_bytes(lines)
    con = duckdb.connect()
    con.execute("create table r as select * from read_json_auto(?, format='newline_delimited')", [str(path)])
    counts = con.execute("select resourceType, count(*) from r group by 1 order by 1").fetchall()
    patient = items[0]
    age = relativedelta(patient.birthDate.replace(year=2026, day=28), patient.birthDate).years
    out = io.StringIO()
    table = Table("kind", "n")
    for kind, n in counts:
        table.add_row(kind, str(n))
    Console(file=out, width=60).print(table)
    assert "Patient" in out.getvalue()
    print("OK", kinds, wrong, counts, age, patient.name[0].family)


main()
