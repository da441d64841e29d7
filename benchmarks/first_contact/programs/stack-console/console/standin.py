"""A small stand-in for Keystone, Nova and Glance."""
import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class State:
    def __init__(self, images):
        self.images = {i["id"]: i for i in images}
        self.blobs, self.servers, self.keys, self.polls = {}, {}, {}, {}
        self.log = []
        self.counter = 0

    def new_id(self):
        self.counter += 1
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"lab-{self.counter}"))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, code, body=None, headers=None):
        raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        if code == 204:
            raw = b""
        self.send_response(code)
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(raw)

    def handle_any(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            raw = b""
            while size := int(self.rfile.readline(), 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _, query = self.path.partition("?")
        parts = [p for p in path.split("/") if p]
        state, base = self.server.state, self.server.base
        state.log.append(f"{self.command} {parts[0] if parts else ''}")
        if parts[:1] == ["identity"]:
            return self.identity(parts, raw, base)
        if self.headers.get("X-Auth-Token") != "token-1":
            return self.reply(401, {"error": {"message": "no token"}})
        return getattr(self, parts[0])(parts[1:], query, raw, state, base)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def identity(self, parts, raw, base):
        if parts[1:] == ["v3", "auth", "tokens"]:
            password = json.loads(raw)["auth"]["identity"]["password"]["user"]["password"]
            if password != "s3cret":
                return self.reply(401, {"error": {"message": "bad password"}})
            catalog = [
                {"type": kind, "name": kind, "id": kind, "endpoints": [
                    {"interface": "public", "region": "RegionOne", "region_id": "RegionOne",
                     "id": kind, "url": f"{base}/{path}"}]}
                for kind, path in (("compute", "compute/v2.1"), ("image", "image"),
                                   ("identity", "identity"))
            ]
            token = {"methods": ["password"], "expires_at": "2099-01-01T00:00:00.000000Z",
                     "issued_at": "2024-01-01T00:00:00.000000Z", "catalog": catalog,
                     "user": {"id": "u1", "name": "clara", "domain": {"id": "default", "name": "Default"}},
                     "project": {"id": "p1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
                     "roles": [{"id": "r1", "name": "member"}]}
            return self.reply(201, {"token": token}, {"X-Subject-Token": "token-1"})
        version = {"id": "v3.14", "status": "stable",
                   "links": [{"rel": "self", "href": f"{base}/identity/v3/"}]}
        if parts[1:] == ["v3"]:
            return self.reply(200, {"version": version})
        return self.reply(300, {"versions": {"values": [version]}})

    def compute(self, parts, query, raw, state, base):
        parts = parts[1:]
        if not parts:
            return self.reply(200, {"version": {
                "id": "v2.1", "status": "CURRENT", "version": "2.60", "min_version": "2.1",
                "links": [{"rel": "self", "href": f"{base}/compute/v2.1/"}]}})
        if parts[0] == "os-keypairs" and self.command == "POST":
            pair = json.loads(raw)["keypair"]
            state.keys[pair["name"]] = pair
            return self.reply(201, {"keypair": {**pair, "fingerprint": "aa:bb"}})
        if parts[0] == "servers" and self.command == "POST":
            spec = json.loads(raw)["server"]
            server = {"id": state.new_id(), "name": spec["name"], "status": "BUILD",
                      "metadata": spec.get("metadata", {}), "key_name": spec.get("key_name"),
                      "flavor": {"vcpus": 2, "ram": 1024, "disk": 10, "original_name": "small"},
                      "image": {"id": spec["imageRef"]}}
            state.servers[server["id"]] = server
            return self.reply(202, {"server": server})
        if len(parts) == 2 and parts[1] != "detail":
            server = state.servers.get(parts[1])
            if server is None:
                return self.reply(404, {"itemNotFound": {"message": "no such server", "code": 404}})
            if self.command == "DELETE":
                del state.servers[parts[1]]
                return self.reply(204)
            state.polls[parts[1]] = state.polls.get(parts[1], 0) + 1
            if state.polls[parts[1]] > 1:
                server["status"] = "ACTIVE"
            return self.reply(200, {"server": server})
        found = list(state.servers.values())
        for item in filter(None, query.split("&")):
            key, _, value = item.partition("=")
            if key in ("name", "status"):
                found = [s for s in found if s[key] == value]
        return self.reply(200, {"servers": found})

    def image(self, parts, query, raw, state, base):
        if not parts or parts == ["v2"]:
            return self.reply(300, {"versions": [{
                "id": "v2.9", "status": "CURRENT",
                "links": [{"rel": "self", "href": f"{base}/image/v2/"}]}]})
        rest = parts[2:]
        if self.command == "POST":
            image = {**json.loads(raw), "id": state.new_id(), "status": "queued", "size": None}
            state.images[image["id"]] = image
            return self.reply(201, image)
        if len(rest) == 2:
            image = state.images[rest[0]]
            if self.command == "PUT":
                state.blobs[rest[0]] = raw
                image.update(status="active", size=len(raw))
                return self.reply(204)
            return self.reply(200, state.blobs[rest[0]])
        if len(rest) == 1:
            image = state.images.get(rest[0])
            return self.reply(200, image) if image else self.reply(404, {})
        found = list(state.images.values())
        if query.startswith("name="):
            found = [i for i in found if i["name"] == query[5:].split("&")[0]]
        return self.reply(200, {"images": found})


def start(images):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.state = State(images)
    server.base = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
