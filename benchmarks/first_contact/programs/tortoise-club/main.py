"""A club's book: Tortoise ORM models in SQLite by their module's name, many to many, signals, a schema for FastAPI made from the models, a JSON export."""
import asyncio
import sys

import httpx
from fastapi import FastAPI
from tortoise import Tortoise, fields
from tortoise.contrib.pydantic import pydantic_model_creator
from tortoise.expressions import F, Q
from tortoise.functions import Count
from tortoise.models import Model
from tortoise.signals import post_save
from tortoise.transactions import in_transaction

SAVED = []


class Team(Model):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=40, unique=True)
    info = fields.JSONField(default=dict)


class Member(Model):
    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=40)
    points = fields.DecimalField(max_digits=6, decimal_places=2, default=0)
    joined = fields.DatetimeField(auto_now_add=True)
    teams = fields.ManyToManyField("models.Team", related_name="members")


@post_save(Member)
async def saved(sender, instance, created, using_db, update_fields):
    SAVED.append((instance.name, created))


app = FastAPI()


@app.get("/members")
async def members(q: str = ""):
    Out = pydantic_model_creator(Member, name="Out", include=("id", "name", "points"))
    return [m.model_dump(mode="json") for m in await Out.from_queryset(Member.filter(Q(name__icontains=q)).order_by("name"))]


async def main():
    await Tortoise.init(db_url="sqlite://:memory:", modules={"models": [__name__]})
    await Tortoise.generate_schemas()
    red = await Team.create(name="red", info={"colour": [255, 0, 0]})
    async with in_transaction():
        for n, name in enumerate(("Ada", "Bo", "Cy")):
            m = await Member.create(name=name, points=n)
            if n != 1:
                await m.teams.add(red)
    await Member.filter(name="Bo").update(points=F("points") + 5)
    counts = await Team.annotate(n=Count("members")).values("name", "n")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://club") as web:
        found = (await web.get("/members", params={"q": "o"})).json()
    info = (await Team.get(name="red")).info
    try:
        await Team.create(name="red")
        twice = "no"
    except Exception as e:
        twice = type(e).__name__
    await Tortoise.close_connections()
    print("OK", counts, found, info, len(SAVED), twice)


sys.modules.setdefault("club", sys.modules[__name__])
asyncio.run(main())
