"""A courier on Niquests: plain, multiplexed and streamed requests, retries, hooks, its own DNS resolver by URL, server-sent events, against a local server."""
import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import niquests
import orjson
from niquests.adapters import HTTPAdapter
from pydantic import BaseModel


class Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, kind="application/json", code=200):
        self.send_response(code)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/events":
            return self.answer(b"event: tick\ndata: 1\n\nevent: tick\ndata: 2\n\n", "text/event-stream")
        self.answer(orjson.dumps({"path": self.path, "agent": self.headers["user-agent"].split("/")[0], "auth": self.headers.get("authorization")}), code=404 if self.path == "/none" else 200)

    def do_POST(self):
        data = self.rfile.read(int(self.headers["content-length"]))
        self.answer(orjson.dumps({"size": len(data), "kind": self.headers["content-type"].split(";")[0]}))

    def log_message(self, *a):
        pass


class Answer(BaseModel):
    path: str
    agent: str
    auth: str | None = None


async def gather(base):
    async with niquests.AsyncSession() as s:
        answers = await asyncio.gather(*(s.get(f"{base}/{n}") for n in range(3)))
        return [a.json()["path"] for a in answers]


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    seen = []
    with niquests.Session(retries=2, hooks={"response": [lambda r, **k: seen.append(r.status_code)]}) as s:
        s.mount("http://", HTTPAdapter(max_retries=1))
        one = Answer.model_validate(s.get(base + "/one", auth=("u", "p"), params={"q": "ü"}).json())
        form = s.post(base + "/form", files={"f": ("a.txt", b"hello")}).json()
        body = s.post(base + "/json", json={"a": [1, 2]}).json()
        try:
            s.get(base + "/none").raise_for_status()
            wrong = ""
        except niquests.HTTPError as e:
            wrong = e.response.status_code
        events = s.get(base + "/events").text.count("tick")
    with niquests.Session(multiplexed=True) as s:
        lazy = [s.get(f"{base}/m{n}") for n in range(2)]
        s.gather()
    paths = asyncio.run(gather(base))
    print("OK", one.path, one.auth, form["kind"], body, wrong, events, [r.json()["path"] for r in lazy], paths, seen)


main()
