"""A box of recipes in MongoDB's manner: Beanie documents on a mocked Motor client, with links, inheritance, state, revisions, hooks and aggregations, behind FastAPI with orjson bodies."""
import asyncio
import re
from datetime import datetime, timezone
from enum import Enum
from typing import Annotated, Optional
from uuid import UUID

import httpx
import orjson
from beanie import Delete, Document, Indexed, Insert, Link, PydanticObjectId, Replace, Save, SaveChanges, WriteRules, after_event, before_event, init_beanie
from beanie.operators import GTE, In, Inc, Push, RegEx, Set
from bson import BSON, ObjectId, json_util
from fastapi import Depends, FastAPI, HTTPException, Query, Response
from mongomock_motor import AsyncMongoMockClient, AsyncMongoMockCollection
from pydantic import BaseModel, EmailStr, Field, field_validator
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

trail = []


class Kind(str, Enum):
    SOUP, CAKE, BREAD = "soup", "cake", "bread"


class Cook(Document):
    name: Annotated[str, Indexed(unique=True)]
    mail: EmailStr
    score: int = 0

    class Settings:
        name = "cooks"


class Part(BaseModel):
    what: str
    grams: float = Field(gt=0)


class Recipe(Document):
    title: str
    slug: str = ""
    kind: Kind
    parts: list[Part] = []
    cook: Optional[Link[Cook]] = None
    tags: set[str] = set()
    at: datetime = Field(default_factory=lambda: datetime(2026, 2, 3, tzinfo=timezone.utc))

    @field_validator("title")
    @classmethod
    def clean(cls, value):
        return " ".join(value.split())

    @before_event(Insert, Replace, Save, SaveChanges)
    def make_slug(self):
        self.slug = re.sub(r"\W+", "-", self.title.lower()).strip("-")

    @after_event(Insert)
    def note(self):
        trail.append(f"+{self.slug}")

    @after_event(Delete)
    async def gone(self):
        trail.append(f"-{self.slug}")

    class Settings:
        name = "recipes"
        use_state_management = True
        is_root = True
        bson_encoders = {set: sorted}
        indexes = [IndexModel([("kind", ASCENDING), ("slug", ASCENDING)], name="by_kind")]


class Baked(Recipe):
    degrees: int
    minutes: int = 30


class ByKind(BaseModel):
    kind: Kind = Field(alias="_id")
    n: int
    grams: float


class FastResponse(Response):
    media_type = "application/json"

    def render(self, content):
        return orjson.dumps(content, default=str, option=orjson.OPT_SORT_KEYS)


app = FastAPI(title="Recipes", default_response_class=FastResponse)


async def recipe_of(slug: str) -> Recipe:
    found = await Recipe.find_one(Recipe.slug == slug, with_children=True)
    if found is None:
        raise HTTPException(404, f"no {slug}")
    return found


@app.post("/cooks", status_code=201)
async def add_cook(cook: Cook) -> dict:
    try:
        await cook.insert()
    except DuplicateKeyError:
        raise HTTPException(409, "name taken") from None
    return {"name": cook.name, "id": isinstance(cook.id, ObjectId)}


@app.get("/recipes")
async def search(kind: list[Kind] = Query(default=[]), least: int = 0) -> list[str]:
    query = Recipe.find(with_children=True)
    if kind:
        query = query.find(In(Recipe.kind, kind))
    rows = await query.sort(-Recipe.slug).to_list()
    return [r.slug for r in rows if sum(p.grams for p in r.parts) >= least]


@app.patch("/recipes/{slug}")
async def rename(title: str, recipe: Recipe = Depends(recipe_of)) -> dict:
    recipe.title = title
    changes = recipe.get_changes()
    await recipe.save_changes()
    return {"changes": changes, "slug": recipe.slug, "changed": recipe.is_changed}


def aggregate(self, *args, real=AsyncMongoMockCollection.aggregate, **kwargs):
    async def cursor():  # PyMongo's own async cursor is awaited, Motor's was not
        return real(self, *args, **kwargs)
    return cursor()


async def main():
    AsyncMongoMockCollection.aggregate = aggregate
    client = AsyncMongoMockClient(tz_aware=True)
    box = client.get_database("box")
    real = box.list_collection_names
    box.list_collection_names = lambda *a, **k: real()
    await init_beanie(database=box, document_models=[Cook, Recipe, Baked])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://box") as c:
        made = [(await c.post("/cooks", json={"name": n, "mail": f"{n}@example.org"})).status_code for n in ("ann", "bob", "ann")]
        bad = (await c.post("/cooks", json={"name": "x", "mail": "nowhere"})).json()["detail"][0]["loc"]
        ann = await Cook.find_one(Cook.name == "ann")
        await Recipe(title="Pea   Soup", kind="soup", parts=[Part(what="peas", grams=400)], cook=ann, tags={"green", "warm"}).insert()
        await Baked(title="Rye Bread", kind="bread", parts=[{"what": "rye", "grams": 500}, {"what": "salt", "grams": 9}], degrees=230).insert()
        await Recipe.insert_many([Recipe(title="Plain Cake", slug="plain-cake", kind="cake"), Recipe(title="Old Soup", slug="old-soup", kind="soup")])
        found = (await c.get("/recipes", params={"kind": ["soup", "bread"], "least": 100})).json()
        change = (await c.patch("/recipes/rye-bread", params={"title": "Dark Rye"})).json()
        lost = (await c.patch("/recipes/none", params={"title": "x"})).status_code
        schema = (await c.get("/openapi.json")).json()["components"]["schemas"]
    soup = await Recipe.find_one(Recipe.slug == "pea-soup")
    unread = type(soup.cook).__name__
    await soup.fetch_link(Recipe.cook)
    await ann.update(Inc({Cook.score: 3}), Set({Cook.mail: "ann@example.com"}))
    await Recipe.find(Recipe.slug == "pea-soup").update(Push({Recipe.parts: {"what": "mint", "grams": 5.0}}))
    groups = await Recipe.find(with_children=True).aggregate([{"$unwind": "$parts"}, {"$group": {"_id": "$kind", "n": {"$sum": 1}, "grams": {"$sum": "$parts.grams"}}}, {"$sort": {"_id": 1}}], projection_model=ByKind).to_list()
    best = await Cook.find(GTE(Cook.score, 3)).to_list()
    old = await Recipe.find(RegEx(Recipe.slug, "^old")).first_or_none()
    await old.delete()
    raw = BSON.encode({"when": soup.at, "n": 1})
    print(made, bad, found, change, lost)
    print(unread, soup.cook.name, soup.cook.mail, [(b.name, b.score) for b in best], trail)
    print(BSON(raw).decode()["n"], json_util.dumps({"w": soup.at}), sorted(schema)[:4], str(PydanticObjectId("0" * 24)), UUID(int=5).version)
    print("OK", [(g.kind.value, g.n, g.grams) for g in groups], [type(r).__name__ for r in await Baked.find_all().to_list()], WriteRules.WRITE.value)


if __name__ == "__main__":
    asyncio.run(main())
