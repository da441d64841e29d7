"""Parts depot for a robotics club: a Robyn service with SQL files, templates, bearer tokens and a WebSocket-free OpenAPI page.

`main.py serve` runs it; without arguments it checks itself in process and once over a real socket.
"""
import logging
import pathlib
import socket
import sqlite3
import sys
import threading
import time

import aiosql
import httpx
import msgspec
import orjson
from itsdangerous import BadSignature, URLSafeSerializer
from pydantic import BaseModel, Field, ValidationError
from robyn import Request, Response, Robyn, SubRouter
from robyn.authentication import AuthenticationHandler, BearerGetter, Identity
from robyn.templating import JinjaTemplate
from robyn.testing import TestClient
from ulid import ULID

HERE = pathlib.Path(__file__).parent
SIGNER = URLSafeSerializer("club-secret", salt="depot")
queries = aiosql.from_path(HERE / "sql", "sqlite3")
templates = JinjaTemplate(str(HERE / "templates"))
db = sqlite3.connect(":memory:", check_same_thread=False)
db.row_factory = sqlite3.Row


class NewPart(BaseModel):
    name: str = Field(min_length=2, max_length=40)
    stock: int = Field(ge=0)
    price: float = Field(gt=0)


class Row(msgspec.Struct, frozen=True):
    id: int
    name: str
    stock: int
    price: float


class TokenAuth(AuthenticationHandler):
    def authenticate(self, request: Request):
        try:
            claims = SIGNER.loads(self.token_getter.get_token(request) or "")
        except BadSignature:
            return None
        return Identity(claims={"user": claims["user"]})


app = Robyn(__file__)
app.configure_authentication(TokenAuth(token_getter=BearerGetter()))
reports = SubRouter(prefix="/reports")


def reply(data, status=200, kind="application/json"):
    return Response(status_code=status, headers={"Content-Type": kind}, description=orjson.dumps(data).decode() if kind.endswith("json") else data)


@app.before_request("/parts")
async def count_call(request: Request):
    request.headers.set("X-Seen", "yes")
    return request


@app.after_request()
async def stamp(response: Response):
    response.headers.set("X-Depot", "club")
    return response


@app.exception
def failed(error):
    if isinstance(error, ValidationError):
        return reply([{"field": ".".join(map(str, e["loc"])), "why": e["type"]} for e in error.errors()], 422)
    return reply({"error": type(error).__name__}, 500)


@app.get("/parts")
async def parts(request: Request):
    below = int(request.query_params.get("below", "1000000"))
    rows = [Row(**dict(r)) for r in queries.list_parts(db, below=below)]
    return reply(msgspec.to_builtins(rows))


@app.post("/parts", auth_required=True)
async def add(request: Request):
    part = NewPart.model_validate_json(request.body)
    key = queries.add_part(db, **part.model_dump())
    return reply({"id": key, "by": request.identity.claims["user"]}, 201)


@app.get("/parts/:id/label")
def label(request: Request):
    row = queries.get_part(db, id=int(request.path_params["id"]))
    if row is None:
        return reply({"error": "no such part"}, 404)
    return templates.render_template("label.html", part=dict(row))


@reports.get("/value", const=False)
def value():
    return dict(queries.total_value(db))


app.include_router(reports)


def seed():
    queries.create_schema(db)
    for name, stock, price in [("servo", 12, 8.5), ("wheel", 3, 2.25), ("gripper", 1, 39.0)]:
        queries.add_part(db, name=name, stock=stock, price=price)


def over_socket():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    threading.Thread(target=app.start, kwargs={"host": "127.0.0.1", "port": port}, daemon=True).start()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(100):
            try:
                print("socket", client.get("/reports/value").json())
                break
            except httpx.ConnectError:
                time.sleep(0.1)
        paths = client.get("/openapi.json").json()["paths"]
        print("openapi", sorted(paths))
        print("docs", "swagger" in client.get("/docs").text.lower())
        print("label", client.get("/parts/2/label").text.split("<p>")[1].split("</p>")[0], client.get("/parts").headers["x-depot"])


def main():
    logging.disable(logging.WARNING)
    seed()
    if sys.argv[1:] == ["serve"]:
        app.start(port=8080)
        return
    token = {"Authorization": "Bearer " + SIGNER.dumps({"user": "mia"})}
    with TestClient(app) as client:
        print("low", [p["name"] for p in client.get("/parts", query_params={"below": "5"}).json()])
        body = {"name": "bumper", "stock": 2, "price": 4.5}
        print("anonymous", client.post("/parts", json_data=body).status_code)
        made = client.post("/parts", json_data=body, headers=token)
        print("added", made.status_code, made.json())
        print("missing", client.get("/parts/99/label").status_code)
    try:
        NewPart(name="x", stock=-1, price=0)
    except ValidationError as error:
        print("invalid", [e["type"] for e in error.errors()])
    over_socket()
    print("ulid", str(ULID.from_timestamp(0))[:10], msgspec.json.encode(Row(1, "a", 2, 3.0)).decode())
    print("OK robot-parts")


if __name__ == "__main__":
    main()
