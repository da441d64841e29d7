"""A CRM on Litestar: Pydantic DTOs, dependency injection, JWT guards, MiniJinja pages, OpenAPI, in-memory stores, Polyfactory data."""
from pathlib import Path
from tempfile import mkdtemp

import structlog
from litestar import Controller, Litestar, Request, get, patch, post
from litestar.config.response_cache import ResponseCacheConfig
from litestar.contrib.minijinja import MiniJinjaTemplateEngine
from litestar.di import Provide
from litestar.dto import DTOConfig, DTOData
from litestar.exceptions import NotFoundException
from litestar.middleware.rate_limit import RateLimitConfig
from litestar.openapi import OpenAPIConfig
from litestar.plugins.pydantic import PydanticDTO
from litestar.response import Template
from litestar.security.jwt import JWTAuth, Token
from litestar.stores.memory import MemoryStore
from litestar.template import TemplateConfig
from litestar.testing import TestClient
from polyfactory.factories.pydantic_factory import ModelFactory
from pydantic import BaseModel, EmailStr

pages = Path(mkdtemp())
(pages / "list.html.j2").write_text("<ul>{% for c in contacts %}<li>{{ c.name|title }}</li>{% endfor %}</ul>")


class Contact(BaseModel):
    id: int
    name: str
    email: EmailStr
    secret: str = "internal"


class ContactFactory(ModelFactory[Contact]):
    __random_seed__ = 5


class Out(PydanticDTO[Contact]):
    config = DTOConfig(exclude={"secret"}, rename_strategy="camel")


class Change(PydanticDTO[Contact]):
    config = DTOConfig(exclude={"id", "secret"}, partial=True)


class Book:
    def __init__(self):
        self.rows = {i: c.model_copy(update={"id": i, "name": f"name {i}"}) for i, c in enumerate(ContactFactory.batch(3))}


class Contacts(Controller):
    path = "/contacts"
    return_dto = Out

    @get("/", cache=5)
    async def all(self, book: Book) -> list[Contact]:
        return list(book.rows.values())

    @patch("/{key:int}", dto=Change)
    async def change(self, key: int, data: DTOData[Contact], book: Book, request: Request) -> Contact:
        if key not in book.rows:
            raise NotFoundException(f"no {key}")
        values = data.as_builtins()
        book.rows[key] = book.rows[key].model_copy(update=values)
        return book.rows[key]


@get("/page", exclude_from_auth=True)
async def page(book: Book) -> Template:
    return Template("list.html.j2", context={"contacts": [c.model_dump() for c in book.rows.values()]})


@post("/login", exclude_from_auth=True)
async def login() -> dict:
    return {"token": auth.create_token(identifier="ann")}


async def retrieve(token: Token, connection) -> str:
    return token.sub


auth = JWTAuth[str](retrieve_user_handler=retrieve, token_secret="s" * 40, exclude=["/schema"])
book = Book()
app = Litestar(
    [Contacts, page, login], dependencies={"book": Provide(lambda: book, sync_to_thread=False)}, on_app_init=[auth.on_app_init],
    template_config=TemplateConfig(directory=pages, engine=MiniJinjaTemplateEngine), stores={"response_cache": MemoryStore()},
    response_cache_config=ResponseCacheConfig(), middleware=[RateLimitConfig(("minute", 100)).middleware], openapi_config=OpenAPIConfig("CRM", "1"),
)


def main():
    log = structlog.get_logger()
    with TestClient(app) as c:
        assert c.get("/contacts").status_code == 401
        h = {"Authorization": "Bearer " + c.post("/login").json()["token"]}
        rows = c.get("/contacts", headers=h).json()
        changed = c.patch("/contacts/1", headers=h, json={"name": "new"})
        missing = c.patch("/contacts/9", headers=h, json={"name": "x"})
        html = c.get("/page").text
        spec = c.get("/schema/openapi.json").json()
        ui = c.get("/schema/redoc")
    assert "secret" not in rows[0], rows
    log.bind(n=len(rows))
    print("OK", len(rows), changed.json().get("name"), missing.status_code, html, sorted(spec["paths"]), ui.status_code)


if __name__ == "__main__":
    main()
