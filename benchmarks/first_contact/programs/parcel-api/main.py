"""A parcel service: a BlackSheep web API with OpenAPI, signed bearer tokens and templates, which hands work to Taskiq jobs; served by Uvicorn and asked by HTTPX."""
import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from blacksheep import Application, FromJSON, FromQuery, Response, created, json, not_found
from blacksheep.server.authorization import auth
from blacksheep.server.controllers import APIController, get, post
from blacksheep.server.openapi.v3 import OpenAPIHandler
from blacksheep.server.rendering.jinja2 import JinjaRenderer
from blacksheep.server.responses import view_async
from blacksheep.settings.html import html_settings
from guardpost.authorization import Policy
from guardpost.common import AuthenticatedRequirement
from jinja2 import FileSystemLoader
from openapidocs.v3 import Info
from pydantic import BaseModel, Field

import identity
import jobs


class ParcelIn(BaseModel):
    receiver: str = Field(min_length=2, max_length=40)
    boxes: list[float] = Field(min_length=1)


@dataclass
class Parcel:
    code: str
    receiver: str
    weight: float
    cost: float


class Shelf:
    def __init__(self):
        self.parcels: dict[str, Parcel] = {}


html_settings.use(JinjaRenderer(loader=FileSystemLoader(Path(__file__).resolve().parent / "views"), enable_async=True))
app = Application()
app.services.add_singleton(Shelf)
app.use_authentication().add(identity.handler())
app.use_authorization().add(Policy("staff", AuthenticatedRequirement()))
app.use_cors(allow_methods="*", allow_origins="https://shop.example", allow_headers="* Authorization")
docs = OpenAPIHandler(info=Info(title="Parcels", version="1.2"))
docs.bind_app(app)


class Parcels(APIController):
    def __init__(self, shelf: Shelf):
        self.shelf = shelf

    @get("{code}")
    async def one(self, code: str) -> Response:
        """One parcel by its code."""
        found = self.shelf.parcels.get(code)
        return json(found) if found else not_found("no such parcel")

    @get()
    def all(self, heavier: FromQuery[float] = FromQuery(0)) -> list[Parcel]:
        return [p for p in self.shelf.parcels.values() if p.weight > heavier.value]

    @auth("staff")
    @post()
    async def add(self, data: FromJSON[ParcelIn]) -> Response:
        boxes = data.value.boxes
        parcel = Parcel(f"P{len(self.shelf.parcels) + 1:03}", data.value.receiver, sum(boxes), await jobs.quote(boxes))
        self.shelf.parcels[parcel.code] = parcel
        await jobs.notify.kiq(parcel.code)
        return created(parcel, f"/api/parcels/{parcel.code}")


@app.router.get("/labels/{code}")
async def label(code: str, shelf: Shelf):
    return await view_async("label", {"parcel": shelf.parcels[code]})


@app.on_start
async def start(_):
    await jobs.broker.startup()


@app.on_stop
async def stop(_):
    await jobs.broker.shutdown()


@asynccontextmanager
async def running():
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", http="httptools"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client
    server.should_exit = True
    await task


async def run():
    staff = {"Authorization": f"Bearer {identity.token('ada')}"}
    order = {"receiver": "Ada & Co", "boxes": [1.0, 2.5, 10]}
    async with running() as c:
        codes = [(await c.post("/api/parcels", json=order)).status_code]
        made = await c.post("/api/parcels", json=order, headers=staff)
        codes.append(made.status_code)
        codes.append((await c.post("/api/parcels", json={"receiver": "A", "boxes": []}, headers=staff)).status_code)
        codes.append((await c.get("/api/parcels/P999")).status_code)
        listed = (await c.get("/api/parcels", params={"heavier": 13})).json()
        page = (await c.get("/labels/P001")).text.split("\n")
        cors = (await c.options("/api/parcels", headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"})).headers
        spec = (await c.get("/openapi.json")).json()
        ui = "SwaggerUIBundle" in (await c.get("/docs", follow_redirects=True)).text
        await asyncio.sleep(0.3)
    attempts = jobs.broker.state.attempts
    return codes, made.json(), len(listed), page[:2], cors.get("access-control-allow-origin"), sorted(spec["paths"]), sorted(spec["components"]["schemas"]), ui, attempts


if __name__ == "__main__":
    logging.getLogger("taskiq").setLevel(logging.CRITICAL)
    print("OK", *asyncio.run(run()))
