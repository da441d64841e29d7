"""A clinic's API written from its specification: Connexion routes, validates and mocks from one OpenAPI file, with security handlers, Swagger UI, metrics and orjson bodies."""
import tempfile
from pathlib import Path

import connexion
import orjson
from connexion import FlaskApp, request
from connexion.exceptions import OAuthProblem
from connexion.lifecycle import ConnexionResponse
from connexion.middleware import MiddlewarePosition
from connexion.mock import MockResolver
from connexion.options import SwaggerUIOptions
from connexion.resolver import Resolver
from openapi_spec_validator import OpenAPIV30SpecValidator, validate
from openapi_spec_validator.readers import read_from_filename
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.middleware.cors import CORSMiddleware

SPEC = """
openapi: 3.0.3
info: {title: "{{ title }}", version: "2.1"}
servers: [{url: /v2}]
security: [{key: []}]
paths:
  /visits:
    get:
      operationId: list_visits
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 50, default: 10}}
        - {name: tag, in: query, style: form, explode: true, schema: {type: array, items: {type: string}}}
      responses:
        "200": {description: all, content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Visit"}}}}}
    post:
      operationId: add_visit
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/Visit"}}}
      responses:
        "201": {description: made, content: {application/json: {schema: {$ref: "#/components/schemas/Visit"}}}}
  /visits/{key}:
    get:
      operationId: get_visit
      parameters: [{name: key, in: path, required: true, schema: {type: integer}}]
      responses:
        "200": {description: one, content: {application/json: {schema: {$ref: "#/components/schemas/Visit"}}}}
        "404": {description: none}
  /scan:
    post:
      operationId: scan
      security: []
      requestBody:
        content: {multipart/form-data: {schema: {type: object, properties: {file: {type: string, format: binary}, note: {type: string}}}}}
      responses: {"200": {description: size, content: {application/json: {schema: {type: object}}}}}
components:
  securitySchemes:
    key: {type: apiKey, name: X-Key, in: header, x-apikeyInfoFunc: __main__.check_key}
  schemas:
    Visit:
      type: object
      required: [patient, day]
      additionalProperties: false
      properties:
        id: {type: integer, readOnly: true}
        patient: {type: string, minLength: 2, example: Ada}
        day: {type: string, format: date, example: "2026-05-04"}
        tags: {type: array, items: {type: string, enum: [teeth, eyes]}, example: [eyes]}
"""
registry = CollectorRegistry()
calls = Counter("clinic_calls", "Calls by operation", ["operation"], registry=registry)
sizes = Histogram("clinic_scan_bytes", "Size of scans", buckets=(10, 100, 1000), registry=registry)
visits = {1: {"id": 1, "patient": "Grace", "day": "2026-01-02", "tags": ["teeth"]}}


class Handlers:
    @staticmethod
    def list_visits(limit, tag=None):
        calls.labels("list").inc()
        return [v for v in visits.values() if not tag or set(tag) & set(v["tags"])][:limit]

    @staticmethod
    def add_visit(body, user):
        calls.labels("add").inc()
        key = max(visits) + 1
        visits[key] = {"id": key, "tags": [], **body}
        return ConnexionResponse(status_code=201, content_type="application/json", body=orjson.dumps(visits[key]), headers={"X-By": user})

    @staticmethod
    def get_visit(key):
        return visits.get(key) or connexion.problem(404, "Not found", f"no visit {key}", ext={"key": key})

    @staticmethod
    async def scan(body, file=None):
        data = await file.read() if hasattr(file, "seek") and not hasattr(file, "stream") else file.read()
        sizes.observe(len(data))
        return {"bytes": len(data), "note": body.get("note"), "type": request.mimetype}


def check_key(key, required_scopes=None):
    if key != "letmein":
        raise OAuthProblem("wrong key")
    return {"sub": "desk"}


def main():
    folder = Path(tempfile.mkdtemp())
    (folder / "api.yaml").write_text(SPEC)
    (folder / "plain.yaml").write_text(SPEC.replace("{{ title }}", "Clinic"))
    spec, _ = read_from_filename(str(folder / "plain.yaml"))
    validate(spec, cls=OpenAPIV30SpecValidator)
    spec["paths"]["/visits"]["get"]["responses"] = {}
    faults = [e.message for e in OpenAPIV30SpecValidator(spec).iter_errors()]

    app = FlaskApp(__name__, specification_dir=folder, swagger_ui_options=SwaggerUIOptions(swagger_ui_path="/docs"))
    app.add_middleware(CORSMiddleware, position=MiddlewarePosition.BEFORE_EXCEPTION, allow_origins=["*"])
    app.add_api("api.yaml", arguments={"title": "Clinic"}, resolver=Resolver(lambda name: getattr(Handlers, name)), validate_responses=True, strict_validation=True)
    head = {"X-Key": "letmein"}
    with app.test_client() as c:
        denied = c.get("/v2/visits"), c.get("/v2/visits", headers={"X-Key": "no"})
        added = c.post("/v2/visits", headers=head, json={"patient": "Ada", "day": "2026-03-04", "tags": ["eyes"]})
        bad = [c.post("/v2/visits", headers=head, json=j).json()["detail"] for j in ({"patient": "A", "day": "2026-03-04"}, {"day": "x"})]
        eyes = c.get("/v2/visits?tag=eyes&tag=ears", headers=head).json()
        odd = c.get("/v2/visits?limit=99", headers=head).status_code, c.get("/v2/visits?color=1", headers=head).status_code
        lost = c.get("/v2/visits/77", headers=head).json()
        scan = c.post("/v2/scan", files={"file": ("a.bin", b"x" * 42)}, data={"note": "left"}).json()
        ui, served = c.get("/v2/docs/"), c.get("/v2/openapi.json", headers={"Origin": "http://a"})
        asset = c.get("/v2/docs/swagger-ui.css")

    mock = connexion.AsyncApp("mock", specification_dir=folder)
    mock.add_api("api.yaml", arguments={"title": "Mocked"}, resolver=MockResolver(mock_all=True))
    with mock.test_client() as c:
        mocked = {k: v for k, v in c.get("/v2/visits/5", headers=head).json().items() if k != "id"}
    text = generate_latest(registry).decode()
    print([d.status_code for d in denied], added.status_code, added.headers["x-by"], added.json())
    print(bad, odd, lost["detail"], lost["key"], len(faults) > 0)
    print("swagger" in ui.text.lower(), len(asset.content) > 1000, served.json()["info"]["title"], served.headers.get("access-control-allow-origin"))
    print([line for line in text.splitlines() if line.startswith(("clinic_calls_total", "clinic_scan_bytes_sum"))])
    print("OK", [e["patient"] for e in eyes], scan, mocked)


if __name__ == "__main__":
    main()
