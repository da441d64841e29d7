"""A gateway for GraphQL: an Ariadne schema of several types with a custom scalar and an extension, served as ASGI by Starlette, asked by the gql client over HTTPX, answers in a Pydantic model and orjson."""
import asyncio
from datetime import date

import httpx
import orjson
from ariadne import MutationType, ObjectType, QueryType, ScalarType, make_executable_schema
from ariadne.asgi import GraphQL
from ariadne.asgi.handlers import GraphQLHTTPHandler
from ariadne.explorer import ExplorerGraphiQL
from ariadne.types import Extension
from gql import Client, gql
from gql.transport.httpx import HTTPXAsyncTransport
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount

TYPES = """
scalar Date
type Query { books(after: Date): [Book!]! }
type Mutation { lend(id: ID!): Book }
type Book { id: ID! title: String! printedOn: Date! loans: Int! shout: String! }
"""
BOOKS = {str(i): {"id": str(i), "title": t, "printed_on": date(1990 + i, 1, 1), "loans": 0} for i, t in enumerate(("Ash", "Birch", "Cedar"))}


class Counting(Extension):
    fields = 0

    def resolve(self, next_, obj, info, **args):
        Counting.fields += 1
        return next_(obj, info, **args)


class Book(BaseModel):
    id: str
    title: str
    printedOn: date
    loans: int = 0


def make():
    query, mutation, book, day = QueryType(), MutationType(), ObjectType("Book"), ScalarType("Date")
    day.set_serializer(lambda v: v.isoformat())
    day.set_value_parser(date.fromisoformat)

    @query.field("books")
    def books(*_, after=None):
        return [b for b in BOOKS.values() if after is None or b["printed_on"] > after]

    @mutation.field("lend")
    def lend(*_, id):
        if id not in BOOKS:
            raise ValueError("no such book")
        BOOKS[id]["loans"] += 1
        return BOOKS[id]

    @book.field("shout")
    async def shout(obj, info):
        return obj["title"].upper() + "!"

    return make_executable_schema(TYPES, query, mutation, book, day, convert_names_case=True)


async def run():
    schema = make()
    graphql = GraphQL(schema, explorer=ExplorerGraphiQL(title="Books"), http_handler=GraphQLHTTPHandler(extensions=[Counting]))
    app = Starlette(routes=[Mount("/graphql", graphql)])
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    inside = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=inside, base_url="http://shop") as web:
        page = (await web.get("/graphql/", headers={"accept": "text/html"})).text
        raw = orjson.loads((await web.post("/graphql/", json={"query": "{ books { shout } }"})).content)
        wrong = (await web.post("/graphql/", json={"query": "{ nothing }"})).status_code
    transport = HTTPXAsyncTransport(url="http://shop/graphql/", transport=inside)
    async with Client(transport=transport, fetch_schema_from_transport=True) as session:
        lent = await session.execute(gql("mutation { lend(id: 1) { id title printedOn loans } }"))
        after = await session.execute(gql("query($d: Date) { books(after: $d) { id title printedOn loans } }"), variable_values={"d": "1990-06-01"})
    got = [Book.model_validate(b) for b in after["books"]]
    print("OK", lent["lend"]["loans"], [b.title for b in got], raw["data"]["books"][0], Counting.fields > 3, wrong, "GraphiQL" in page, len(got))


asyncio.run(run())
