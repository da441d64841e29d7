"""A local stand-in for the model service: embeddings, answers, streams, function calls and errors."""
import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson

SIZE = 64


def embed(text):
    vector = [0.0] * SIZE
    for word in re.findall(r"[a-z]{3,}", text.lower()):
        vector[hashlib.sha256(word.encode()).digest()[0] % SIZE] += 1.0
    return vector


def content(*parts, finish="STOP"):
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": finish}],
            "usageMetadata": {"promptTokenCount": 11, "candidatesTokenCount": 5, "totalTokenCount": 16}, "modelVersion": "stand-in-1"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen = []

    def answer(self, body, status=200, kind="application/json"):
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model, method = re.search(r"models/([^:?]+):(\w+)", self.path).groups()
        self.seen.append(method)
        if model == "no-such-model":
            return self.answer({"error": {"code": 404, "message": f"models/{model} is not found", "status": "NOT_FOUND"}}, 404)
        if method == "batchEmbedContents":
            return self.answer({"embeddings": [{"values": embed(r["content"]["parts"][0]["text"])} for r in body["requests"]]})
        if method == "embedContent":
            return self.answer({"embedding": {"values": embed(body["content"]["parts"][0]["text"])}})
        if method == "countTokens":
            return self.answer({"totalTokens": len(body["contents"][0]["parts"][0]["text"].split())})
        last = body["contents"][-1]["parts"][0]
        if method == "streamGenerateContent":
            events = [content({"text": word}) for word in ("Hold ", "the reset ", "button.")]
            return self.answer(b"".join(b"data: " + orjson.dumps(e) + b"\r\n\r\n" for e in events), kind="text/event-stream")
        if "functionResponse" in last:
            return self.answer(content({"text": f"Ticket: {last['functionResponse']['response']['result']}"}))
        if body.get("tools"):
            return self.answer(content({"functionCall": {"name": "open_ticket", "args": {"area": "billing", "urgent": True}}}))
        if body.get("generationConfig", {}).get("responseMimeType") == "application/json":
            ids = [int(i) for i in re.findall(r"^\[(\d+)\]", last["text"], re.M)]
            return self.answer(content({"text": orjson.dumps({"answer": "See the articles.", "sources": ids[:2], "confidence": "high"}).decode()}))
        return self.answer(content({"text": f"{len(body['contents'])} turns so far"}))

    def log_message(self, *args):
        pass


def start():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
