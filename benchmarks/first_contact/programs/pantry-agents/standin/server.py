"""A stand-in of an Ollama server: enough of its API for clients and agents."""
import json
import re
import socket
import threading
import time

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from .constrained import generate

STAMP = "2024-05-01T08:00:00Z"
REQUESTS: list[str] = []


def facts(messages) -> dict:
    text = " ".join(m.get("content") or "" for m in messages if m["role"] == "user")
    number = re.search(r"\d+", text)
    item = re.search(r"\b(rice|beans|oats)\b", text)
    return {"item": item.group(1) if item else "rice", "quantity": int(number.group()) if number else 1,
            "skill_name": "bulk-discount", "urgent": "urgent" in text}


def plan(body) -> tuple[str, list]:
    messages = body["messages"]
    tools = {t["function"]["name"]: t["function"] for t in body.get("tools") or []}
    done = {c["function"]["name"] for m in messages for c in m.get("tool_calls") or []}
    known = facts(messages)
    system = " ".join(m["content"] for m in messages if m["role"] == "system")
    for name, spec in tools.items():
        if name in done or (name == "skills" and known["quantity"] < 20):
            continue
        text, _ = generate(spec["parameters"], known)
        return "", [{"function": {"name": name, "arguments": json.loads(text)}}]
    results = [m["content"] for m in messages if m["role"] == "tool"]
    last = next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")
    role = "Clerk" if "clerk" in system.lower() else "Editor" if "editor" in system.lower() else "Model"
    return f"{role}: " + (" / ".join(r.splitlines()[0][:60] for r in results) or last[-60:].strip()), []


async def chat(request: Request):
    body = await request.json()
    REQUESTS.append("chat")
    if body["model"] == "missing":
        return JSONResponse({"error": "model 'missing' not found"}, status_code=404)
    base = {"model": body["model"], "created_at": STAMP}
    if isinstance(body.get("format"), dict):
        content, calls = generate(body["format"], facts(body["messages"]))[0], []
    else:
        content, calls = plan(body)
    end = {**base, "done": True, "done_reason": "stop", "total_duration": 5_000_000, "prompt_eval_count": 20, "eval_count": len(content)}
    if not body.get("stream"):
        return JSONResponse({**end, "message": {"role": "assistant", "content": content, "tool_calls": calls}})

    async def lines():
        for word in re.findall(r"\S+\s*", content):
            yield json.dumps({**base, "done": False, "message": {"role": "assistant", "content": word}}) + "\n"
        yield json.dumps({**end, "message": {"role": "assistant", "content": "", "tool_calls": calls}}) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def embed(request: Request):
    body = await request.json()
    REQUESTS.append("embed")
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    return JSONResponse({"model": body["model"], "embeddings": [[t.lower().count(c) / max(1, len(t)) for c in "aeiorst"] for t in texts]})


async def tags(request: Request):
    REQUESTS.append("tags")
    return JSONResponse({"models": [{"model": "pantry:1b", "name": "pantry:1b", "modified_at": STAMP, "size": 1024, "digest": "a" * 12,
                                     "details": {"family": "pantry", "parameter_size": "1B", "quantization_level": "Q4_0"}}]})


class Server:
    def __enter__(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        app = Starlette(routes=[Route("/api/chat", chat, methods=["POST"]), Route("/api/embed", embed, methods=["POST"]), Route("/api/tags", tags)])
        self.server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.05)
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *exc):
        self.server.should_exit = True
        self.thread.join(5)
