"""A library's GraphQL: Strawberry with Pydantic types, relay nodes, permissions, subscriptions, extensions, FastAPI router, schema export."""
import asyncio
import base64
from collections.abc import AsyncGenerator
from datetime import date
from enum import Enum
from typing import Annotated

import strawberry
from cryptography.fernet import Fernet
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel, Field
from strawberry import relay
from strawberry.dataloader import DataLoader
from strawberry.experimental.pydantic import input as pydantic_input
from strawberry.experimental.pydantic import type as pydantic_type
from strawberry.extensions import MaxAliasesLimiter, ParserCache, QueryDepthLimiter, SchemaExtension
from strawberry.fastapi import GraphQLRouter
from strawberry.permission import BasePermission
from strawberry.printer import print_schema
from strawberry.scalars import JSON

BOX = Fernet(base64.urlsafe_b64encode(b"k" * 32))


class BookIn(BaseModel):
    title: str = Field(min_length=2)
    year: int = Field(ge=1450)


@pydantic_input(model=BookIn, all_fields=True)
class NewBook:
    pass


@strawberry.enum
class Genre(Enum):
    NOVEL = "novel"
    POEM = "poem"


@strawberry.type
class Author(relay.Node):
    id: relay.NodeID[int]
    name: str

    @classmethod
    def resolve_nodes(cls, *, info, node_ids, required=False):
        return [cls(id=int(i), name=f"author {i}") for i in node_ids]


async def load_authors(keys: list[int]):
    return [Author(id=k, name=f"author {k}") for k in keys]


@pydantic_type(model=BookIn, all_fields=True)
class Book:
    genre: Genre = Genre.NOVEL
    author_id: strawberry.Private[int] = 1

    @strawberry.field
    async def author(self, info: strawberry.Info) -> Author:
        return await info.context["authors"].load(self.author_id)


class IsAnn(BasePermission):
    message = "only Ann"

    def has_permission(self, source, info, **kwargs):
        token = info.context["request"].headers.get("x-token")
        return bool(token) and BOX.decrypt(token.encode()) == b"ann"


@strawberry.type
class Query:
    node: relay.Node = relay.node()

    @strawberry.field
    def books(self, genre: Genre | None = None) -> list[Book]:
        return [Book(title=f"b{i}", year=1900 + i, author_id=i) for i in range(3)]

    @strawberry.field(permission_classes=[IsAnn])
    def secret(self) -> JSON:
        return {"x": [1, 2]}


@strawberry.type
class Mutation:
    @strawberry.mutation
    def add(self, book: NewBook, due: Annotated[date | None, strawberry.argument(description="when")] = None) -> Book:
        b = book.to_pydantic()
        return Book(title=b.title, year=b.year)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int = 2) -> AsyncGenerator[int, None]:
        for i in range(to):
            yield i


class Counter(SchemaExtension):
    n = 0

    def on_operation(self):
        Counter.n += 1
        yield


async def context():
    return {"authors": DataLoader(load_fn=load_authors)}


schema = strawberry.Schema(Query, Mutation, Subscription, extensions=[Counter, lambda: QueryDepthLimiter(max_depth=5), lambda: MaxAliasesLimiter(max_alias_count=3), lambda: ParserCache()])
app = FastAPI()
app.include_router(GraphQLRouter(schema, context_getter=context, graphql_ide="graphiql"), prefix="/graphql")


async def subscribe():
    sub = await schema.subscribe("subscription { count(to: 3) }")
    return [r.data["count"] async for r in sub]


def main():
    with TestClient(app) as c:
        def ask(q, **h):
            return c.post("/graphql", json={"query": q}, headers=h).json()
        books = ask("{ books(genre: POEM) { title author { name } } }")["data"]["books"]
        denied = ask("{ secret }")["errors"][0]["message"]
        secret = ask("{ secret }", **{"x-token": BOX.encrypt(b"ann").decode()})["data"]["secret"]
        made = ask('mutation { add(book: {title: "New", year: 2000}, due: "2026-01-01") { title year genre } }')["data"]["add"]
        bad = ask('mutation { add(book: {title: "N", year: 3}) { title } }')["errors"][0]["message"].splitlines()[0]
        gid = base64.b64encode(b"Author:7").decode()
        node = ask('{ node(id: "%s") { ... on Author { name } } }' % gid)["data"]["node"]
        ide = c.get("/graphql", headers={"accept": "text/html"}).text
    sdl = print_schema(schema)
    print("OK", books[1], denied, secret, made, bad, node, asyncio.run(subscribe()), "graphiql" in ide.lower(), "type Book" in sdl, Counter.n > 5)


if __name__ == "__main__":
    main()
