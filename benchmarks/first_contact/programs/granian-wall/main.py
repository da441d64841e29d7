"""A message wall: Starlette on Granian's embedded server and on Granian with worker processes, orjson answers, Jinja pages, a websocket."""
import asyncio
import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path

import httpx
import orjson
from granian import Granian
from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

root = Path(tempfile.mkdtemp())
(root / "wall.html").write_text("{% for w in words %}<p>{{ w|upper }}</p>{% endfor %}")
templates = Jinja2Templates(root)
words: list[str] = []


class Fast(Response):
    media_type = "application/json"

    def render(self, content):
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


async def post(request: Request):
    words.append((await request.json())["word"])
    return Fast({"n": len(words)}, 201)


async def page(request: Request):
    return templates.TemplateResponse(request, "wall.html", {"words": words})


async def numbers(request: Request):
    async def make():
        for i in range(3):
            yield orjson.dumps(i) + b"\n"
            await asyncio.sleep(0)
    return StreamingResponse(make())


app = Starlette(
    routes=[Route("/words", post, methods=["POST"]), Route("/", page), Route("/numbers", numbers), Mount("/static", StaticFiles(directory=root))],
    middleware=[Middleware(GZipMiddleware, minimum_size=10)],
)


def load(target=None):
    return app


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


async def embedded():
    p = port()
    server = Server(app, address="127.0.0.1", port=p, interface=Interfaces.ASGI)
    task = asyncio.create_task(server.serve())
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{p}", trust_env=False, transport=httpx.AsyncHTTPTransport(retries=5)) as c:
        await asyncio.sleep(0.3)
        made = [(await c.post("/words", json={"word": w})).json()["n"] for w in ("tea", "milk")]
        html = await c.get("/")
        lines = (await c.get("/numbers")).text.split()
        static = await c.get("/static/wall.html")
    server.stop()
    await task
    return made, html.text, html.headers.get("content-encoding"), lines, static.status_code


def serve(p):
    Granian("main:app", address="127.0.0.1", port=p, interface="asgi", workers=1, log_enabled=False).serve(target_loader=load, wrap_loader=False)


def workers():
    p = port()
    child = multiprocessing.get_context("spawn").Process(target=serve, args=(p,))
    child.start()
    status = None
    for _ in range(60):
        try:
            status = httpx.get(f"http://127.0.0.1:{p}/numbers", trust_env=False).status_code
            break
        except httpx.TransportError:
            time.sleep(0.1)
    os.kill(child.pid, signal.SIGINT)
    child.join(10)
    return status, child.exitcode


def main():
    first = asyncio.run(embedded())
    print("OK", *first, *workers(), threading.active_count() >= 1)


if __name__ == "__main__":
    multiprocessing.freeze_support()
    main()
