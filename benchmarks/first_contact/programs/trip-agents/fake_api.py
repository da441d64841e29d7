"""A stand-in for the two model services, speaking their HTTP protocols on a local port."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SEEN = []


def completion(message, finish):
    return {
        "id": "cmpl-1",
        "object": "chat.completion",
        "created": 1767225600,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 40, "completion_tokens": 10, "total_tokens": 50},
    }


def call(name, **arguments):
    return {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def answer(body):
    """First ask for the distance, then fill in the plan."""
    if body["messages"][-1]["role"] != "tool":
        return completion({"content": None, "tool_calls": [call("distance_km", start="Lyon", end="Geneva")]}, "tool_calls")
    km = float(body["messages"][-1]["content"])
    plan = {"city": "Geneva", "days": 2, "km": km, "stops": ["Annecy", "Bellegarde"]}
    return completion({"content": None, "tool_calls": [call("final_result", **plan)]}, "tool_calls")


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        service = "mistral" if body["model"].startswith("mistral") else "openai"
        SEEN.append(service)
        if service == "mistral":
            return self.reply(503, "application/json", json.dumps({"message": "overloaded"}).encode())
        if not body.get("stream"):
            return self.reply(200, "application/json", json.dumps(answer(body)).encode())
        chunks = []
        for word in ("Pack ", "a warm ", "coat."):
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1767225600, "model": "gpt-4o-mini"}
            chunk["choices"] = [{"index": 0, "delta": {"role": "assistant", "content": word}, "finish_reason": None}]
            chunks.append(chunk)
        chunks.append({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        lines = [f"data: {json.dumps(c)}\n\n" for c in chunks] + ["data: [DONE]\n\n"]
        self.reply(200, "text/event-stream", "".join(lines).encode())

    def reply(self, status, kind, data):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def serve():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"
