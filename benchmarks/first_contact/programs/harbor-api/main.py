"""harbor-api: a web service and its own typed client, in one program."""
import asyncio
import json
import logging
import os
import socket
import sys
import threading
import time
from pathlib import Path

import aiopenapi3
import httpx
import jwt
import uvicorn
from aiopenapi3.plugin import Document, Message
from websockets.asyncio.client import connect

HERE = Path(__file__).resolve().parent
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"()": "uvicorn.logging.DefaultFormatter", "fmt": "%(message)s"}},
    "handlers": {"err": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {"uvicorn": {"handlers": ["err"], "level": "ERROR"}},
}


class Cure(Document):
    """Point the description at the port of this run and lift nested definitions."""

    def __init__(self, base):
        super().__init__()
        self.base = base

    def parsed(self, ctx):
        ctx.document["servers"] = [{"url": self.base}]
        self.lift(ctx.document, ctx.document["components"].setdefault("schemas", {}))
        return ctx

    def lift(self, node, schemas):
        if isinstance(node, list):
            for item in node:
                self.lift(item, schemas)
        elif isinstance(node, dict):
            for name, schema in node.pop("$defs", {}).items():
                schemas.setdefault(name, schema)
            if str(node.get("$ref", "")).startswith("#/$defs/"):
                node["$ref"] = node["$ref"].replace("#/$defs/", "#/components/schemas/")
            for item in list(node.values()):
                self.lift(item, schemas)


class Counting(Message):
    def __init__(self):
        super().__init__()
        self.sent = []

    def sending(self, ctx):
        self.sent.append(ctx.operationId)
        return ctx


class Service:
    """The application in a thread with its own event loop."""

    def __init__(self):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{self.sock.getsockname()[1]}"
        config = uvicorn.Config("harbor.app:create_app", factory=True, log_config=LOGGING,
                                lifespan="on", access_log=False)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([self.sock],), daemon=True)

    def __enter__(self):
        self.thread.start()
        while not self.server.started:
            if not self.thread.is_alive():
                raise RuntimeError("the service did not start")
            time.sleep(0.02)
        return self

    def __exit__(self, *exc):
        self.server.should_exit = True
        self.thread.join(10)


def token(*roles):
    return jwt.encode({"sub": "clara", "roles": list(roles)}, "harbor-office-secret-of-the-quay-master", "HS256")


def plain_http(base):
    """What a browser or a careless client sees."""
    ship = {"name": " sea cat ", "kind": "ferry", "length": 80}
    with httpx.Client(base_url=base) as client:
        print("no token:", client.post("/ships", json=ship).status_code)
        client.headers["authorization"] = f"Bearer {token('cook')}"
        print("wrong role:", client.post("/ships", json=ship).status_code)
        client.headers["authorization"] = f"Bearer {token('pilot')}"
        bad = client.post("/ships", json={**ship, "kind": "raft", "length": -1})
        fields = sorted(str(e["loc"][-1]) for e in bad.json().get("errors", []) if isinstance(e, dict))
        print("bad ship:", bad.status_code, fields)
        made = client.post("/ships", json=ship)
        print("made:", made.status_code, made.json())
        css = client.get("/static/harbor.css")
        print("css:", css.status_code, css.text.strip())
        cors = client.get("/ships", headers={"origin": "https://port.example"})
        print("cors:", cors.headers.get("access-control-allow-origin"))
        return client.get("/openapi.json").text


async def typed_client(base, description):
    """A client made from the service's own description."""
    counting = Counting()
    api = aiopenapi3.OpenAPI.loads(f"{base}/openapi.json", description,
                                   plugins=[Cure(base), counting])
    operations = sorted(api._, key=str)
    print("operations:", len(list(operations)))
    print("schemas:", ", ".join(sorted(api.components.schemas)))
    headers = {"authorization": f"Bearer {token('pilot')}"}
    Ship = api.components.schemas["Ship"].get_type()
    async with httpx.AsyncClient(base_url=base, headers=headers) as http:
        for name, kind, length in (("north star", "cargo", 200.5), ("puller", "tug", 30)):
            body = Ship(name=name, kind=kind, length=length, flags=["new"])
            reply = await http.post("/ships", content=body.model_dump_json(),
                                    headers={"content-type": "application/json"})
            print("moored:", reply.json()["name"], reply.json()["berth"], reply.json()["fee"])
        full = await http.post("/ships", json={"name": "late", "kind": "tug", "length": 10})
        print("full:", full.status_code, full.json())
        gone = await http.delete("/ships/2")
        print("left:", gone.status_code)
        missing = await http.get("/ships/2")
        print("missing:", missing.status_code, missing.json()["detail"])
        board = await http.get("/board")
        print("board:", " ".join(board.text.split())[:200])
    call = next(op for op in (api._[name] for name in operations if "ummary" in name))
    result = await call()
    print("summary:", type(result).__name__, json.dumps(result.model_dump(mode="json")))
    print("plug-in saw:", len(counting.sent))
    return result


async def radio(base):
    async with connect(base.replace("http", "ws") + "/radio") as ws:
        await ws.send("tower")
        return json.loads(await ws.recv())


async def client_side(base):
    description = await asyncio.to_thread(plain_http, base)
    result = await typed_client(base, description)
    answer = await radio(base)
    print("radio:", answer)
    return result, answer


def main():
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    os.environ["RAVYN_SETTINGS_MODULE"] = "harbor.settings.HarborSettings"
    with Service() as service:
        result, answer = asyncio.run(client_side(service.base))
    from harbor.services import QUAY

    print("journal:", ", ".join(sorted(set(QUAY.journal))))
    assert result.ships == answer["ships"] == 2
    print(f"OK {result.ships} ships, {len(QUAY.journal)} requests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
