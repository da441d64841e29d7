"""A chat on Quart: Pydantic schemas and OpenAPI by Quart-Schema, sessions of Quart-Auth, passwords by bcrypt, WebSockets, streamed events, and Hypercorn serving a real port."""
import asyncio
import dataclasses
import socket
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from urllib.request import urlopen

import bcrypt
import orjson
from hypercorn.asyncio import serve
from hypercorn.config import Config
from pydantic import BaseModel, Field, field_validator
from quart import Blueprint, Quart, Response, abort, flash, get_flashed_messages, render_template_string, stream_with_context, websocket
from quart.json.provider import DefaultJSONProvider
from quart_auth import AuthUser, QuartAuth, Unauthorized, current_user, login_required, login_user, logout_user
from quart_schema import QuartSchema, RequestSchemaValidationError, hide, security_scheme, tag, validate_querystring, validate_request, validate_response


class FastJSON(DefaultJSONProvider):
    def dumps(self, obj, **kwargs):
        return orjson.dumps(obj, option=orjson.OPT_SORT_KEYS, default=str).decode()

    def loads(self, s, **kwargs):
        return orjson.loads(s)


class Line(BaseModel):
    room: str = Field(pattern=r"^[a-z]+$")
    text: str = Field(min_length=1, max_length=200)
    at: datetime | None = None

    @field_validator("text")
    @classmethod
    def calm(cls, value):
        return value.capitalize() if value.isupper() else value


class Credentials(BaseModel):
    name: str
    password: str


@dataclasses.dataclass
class Page:
    room: str
    last: int = 10


class Broker:
    def __init__(self):
        self.rooms, self.lines = defaultdict(set), []

    async def publish(self, line):
        line.at = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(minutes=len(self.lines))
        self.lines.append(line)
        for queue in self.rooms[line.room]:
            await queue.put(line)

    async def subscribe(self, room):
        queue = asyncio.Queue()
        self.rooms[room].add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self.rooms[room].discard(queue)


app = Quart(__name__)
app.config.update(SECRET_KEY="k" * 32, QUART_AUTH_COOKIE_SECURE=False)
app.json_provider_class, app.json = FastJSON, FastJSON(app)
auth, schema = QuartAuth(app), QuartSchema(app, info={"title": "Chat", "version": "3"}, security_schemes={"c": {"type": "apiKey", "name": "QUART_AUTH", "in_": "cookie"}})
broker, users = Broker(), {"ann": bcrypt.hashpw(b"secret", bcrypt.gensalt(4))}
rooms = Blueprint("rooms", __name__, url_prefix="/rooms")


@app.post("/login")
@validate_request(Credentials)
async def login(data: Credentials):
    if not bcrypt.checkpw(data.password.encode(), users.get(data.name, users["ann"])):
        abort(403, "wrong password")
    login_user(AuthUser(data.name))
    await flash(f"welcome {data.name}")
    return {"user": data.name}


@app.post("/logout")
@login_required
async def logout():
    logout_user()
    return "", 204


@app.get("/")
@hide
async def index():
    return await render_template_string("{% for m in messages %}<p>{{ m|title }}</p>{% endfor %}{{ lines|length }}", messages=get_flashed_messages(), lines=broker.lines)


@rooms.post("/")
@login_required
@tag(["lines"])
@security_scheme([{"c": []}])
@validate_request(Line)
@validate_response(Line, 201)
async def add(data: Line):
    await broker.publish(data)
    return data, 201


@rooms.get("/")
@validate_querystring(Page)
async def last(query_args: Page):
    return [x.model_dump(mode="json") for x in broker.lines if x.room == query_args.room][-query_args.last:]


@rooms.get("/events")
async def events():
    @stream_with_context
    async def pieces():
        for n, line in enumerate(broker.lines):
            yield f"id: {n}\nevent: {line.room}\ndata: {line.text}\n\n".encode()
    return Response(pieces(), content_type="text/event-stream")


@rooms.websocket("/<room>/live")
async def live(room):
    await websocket.accept(subprotocol=None)
    await websocket.send_json({"hello": current_user.auth_id or "guest", "room": room})
    async for line in broker.subscribe(room):
        await websocket.send_json(line.model_dump(mode="json"))


@app.errorhandler(Unauthorized)
async def unknown(_):
    return {"error": "log in"}, 401


@app.errorhandler(RequestSchemaValidationError)
async def invalid(error):
    inner = error.validation_error
    return {"errors": [e["type"] for e in inner.errors()] if hasattr(inner, "errors") else str(inner)}, 400

app.register_blueprint(rooms)


async def over_http():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    config, stop = Config.from_mapping(bind=[f"127.0.0.1:{port}"], loglevel="ERROR", worker_class="asyncio"), asyncio.Event()
    server = asyncio.create_task(serve(app, config, shutdown_trigger=stop.wait))
    for _ in range(100):
        try:
            text = await asyncio.to_thread(lambda: urlopen(f"http://127.0.0.1:{port}/rooms/events", timeout=5).read())
            break
        except OSError:
            await asyncio.sleep(0.1)
    stop.set()
    await server
    return text.decode().split("\n\n")[:-1]


async def main():
    c = app.test_client()
    first = await c.post("/rooms/", json={"room": "tea", "text": "hi"})
    wrong = await c.post("/login", json={"name": "ann", "password": "no"})
    await c.post("/login", json={"name": "ann", "password": "secret"})
    async with c.websocket("/rooms/tea/live") as ws:
        hello = await ws.receive_json()
        made = await c.post("/rooms/", json={"room": "tea", "text": "IS IT READY"})
        heard = await ws.receive_json()
    bad = await (await c.post("/rooms/", json={"room": "TEA", "text": ""})).get_json()
    await c.post("/rooms/", json={"room": "cake", "text": "one slice"})
    listed = await (await c.get("/rooms/?room=tea")).get_json()
    page = await (await c.get("/")).get_data(as_text=True)
    out = (await c.post("/logout")).status_code, (await c.post("/logout")).status_code
    spec = await (await c.get("/openapi.json")).get_json()
    docs = await c.get("/docs")
    print(first.status_code, wrong.status_code, made.status_code, hello, heard, out)
    print(bad, listed, page)
    print(sorted(spec["paths"]), sorted(spec["components"]["schemas"]), docs.status_code)
    print("OK", await over_http())


if __name__ == "__main__":
    asyncio.run(main())
