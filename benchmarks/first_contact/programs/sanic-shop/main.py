"""A shop on Sanic: blueprints, msgspec bodies, tokens signed by joserfc, a template by Jinja, OpenAPI by sanic-ext, asked through ASGI by HTTPX."""
import asyncio

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import BaseModel
from sanic import Blueprint, Sanic
from sanic.response import json
from sanic_ext import validate


class Item(BaseModel):
    name: str
    price: float


KEY = ECKey.import_key(ec.generate_private_key(ec.SECP256R1()))
app = Sanic("shop")
app.config.OAS_UI_DEFAULT = "swagger"
app.config.CORS = False
bp = Blueprint("items", url_prefix="/items", version=1)
ITEMS = []


@bp.post("/")
@validate(json=Item)
async def add(request, body: Item):
    ITEMS.append(body)
    return json({"n": len(ITEMS)}, dumps=lambda o, **k: msgspec.json.encode(o).decode())


@bp.get("/<index:int>")
async def one(request, index: int):
    return json(ITEMS[index].model_dump())


@app.get("/token")
async def token(request):
    return json({"token": jwt.encode({"alg": "ES256"}, {"sub": "ann"}, KEY)})


app.blueprint(bp)


async def talk():
    app.asgi = True
    await app._startup()
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        added = await client.post("/v1/items/", json={"name": "tea", "price": 2.5})
        wrong = await client.post("/v1/items/", json={"name": "tea"})
        got = await client.get("/v1/items/0")
        word = (await client.get("/token")).json()["token"]
        none = await client.get("/nothing", headers={"accept": "text/html"})
        docs = await client.get("/docs/openapi.json")
        page = await client.get("/docs/swagger")
    claims = jwt.decode(word, KEY).claims
    print("OK", added.json(), wrong.status_code, got.json()["name"], claims["sub"], none.status_code, docs.status_code, sorted(docs.json()["paths"]) if docs.status_code == 200 else "", page.status_code)


if __name__ == "__main__":
    asyncio.run(talk())
