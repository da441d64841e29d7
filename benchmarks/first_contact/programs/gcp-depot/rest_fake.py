"""Local stand-in of the REST services: OAuth tokens, Cloud Storage and BigQuery."""
import base64
import json
import socketserver
import sqlite3
import threading
import wsgiref.simple_server
from email.parser import BytesParser

import bottle
import google_crc32c
from google.auth import jwt


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


class RestFake:
    def __init__(self) -> None:
        self.certificate, self.tokens = b"", 0
        self.objects: dict[tuple[str, str], tuple[dict, bytes]] = {}
        self.uploads: dict[str, tuple[dict, bytearray]] = {}
        self.rows: list[tuple[str, float]] = []
        app = bottle.Bottle()
        app.post("/token", callback=self.token)
        app.post("/storage/v1/b", callback=lambda: {"kind": "storage#bucket"} | bottle.request.json)
        app.post("/upload/storage/v1/b/<bucket>/o", callback=self.upload)
        app.put("/upload/storage/v1/b/<bucket>/o", callback=self.resume)
        app.get("/storage/v1/b/<bucket>/o", callback=self.list)
        app.get("/storage/v1/b/<bucket>/o/<name:path>", callback=lambda bucket, name: self.objects[bucket, name][0])
        app.get("/download/storage/v1/b/<bucket>/o/<name:path>", callback=self.download)
        app.post("/bigquery/v2/projects/<project>/datasets/<dataset>/tables/<table>/insertAll", callback=self.insert)
        app.post("/bigquery/v2/projects/<project>/queries", callback=self.query)
        self.server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, Server, Quiet)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self) -> dict:
        claims = jwt.decode(bottle.request.forms["assertion"], certs=self.certificate, audience="https://oauth2.googleapis.com/token")
        self.tokens += 1
        return {"access_token": f"token-for-{claims['iss'].split('@')[0]}", "expires_in": 3600, "token_type": "Bearer"}

    def store(self, bucket: str, meta: dict, data: bytes) -> dict:
        assert bottle.request.headers["Authorization"] == "Bearer token-for-depot"
        checksum = base64.b64encode(google_crc32c.Checksum(data).digest()).decode()
        assert meta.get("crc32c", checksum) == checksum
        value = meta | {"kind": "storage#object", "bucket": bucket, "size": str(len(data)), "crc32c": checksum, "generation": "1"}
        self.objects[bucket, meta["name"]] = value, data
        return value

    def upload(self, bucket: str) -> dict | str:
        body = bottle.request.body.read()
        if bottle.request.query["uploadType"] == "multipart":
            head = f"Content-Type: {bottle.request.headers['Content-Type']}\r\n\r\n".encode()
            parts = BytesParser().parsebytes(head + body).get_payload()
            return self.store(bucket, json.loads(parts[0].get_payload()), parts[1].get_payload(decode=True))
        key = str(len(self.uploads))
        self.uploads[key] = json.loads(body), bytearray()
        bottle.response.set_header("Location", f"{self.url}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={key}")
        return ""

    def resume(self, bucket: str) -> dict | str:
        meta, data = self.uploads[bottle.request.query["upload_id"]]
        data += bottle.request.body.read()
        if int(bottle.request.headers["Content-Range"].split("/")[1]) == len(data):
            return self.store(bucket, meta, bytes(data))
        bottle.response.status = 308
        bottle.response.set_header("Range", f"bytes=0-{len(data) - 1}")
        return ""

    def list(self, bucket: str) -> dict:
        prefix = bottle.request.query.get("prefix", "")
        return {"items": [meta for (b, name), (meta, _) in sorted(self.objects.items()) if b == bucket and name.startswith(prefix)]}

    def download(self, bucket: str, name: str) -> bytes:
        meta, data = self.objects[bucket, name]
        bottle.response.set_header("X-Goog-Hash", f"crc32c={meta['crc32c']}")
        bottle.response.set_header("Content-Type", "application/octet-stream")
        return data

    def insert(self, project: str, dataset: str, table: str) -> dict:
        self.rows += [(row["json"]["sku"], row["json"]["price"]) for row in bottle.request.json["rows"]]
        return {"kind": "bigquery#tableDataInsertAllResponse"}

    def query(self, project: str) -> dict:
        request = bottle.request.json
        values = {p["name"]: float(p["parameterValue"]["value"]) for p in request["queryParameters"]}
        with sqlite3.connect(":memory:") as database:
            database.execute("create table prices (sku text, price real)")
            database.executemany("insert into prices values (?, ?)", self.rows)
            rows = database.execute(request["query"].replace("@", ":"), values).fetchall()
        fields = [{"name": "family", "type": "STRING", "mode": "NULLABLE"}, {"name": "total", "type": "FLOAT", "mode": "NULLABLE"}, {"name": "at", "type": "DATE", "mode": "NULLABLE"}]
        return {
            "kind": "bigquery#queryResponse", "jobComplete": True, "queryId": "q1", "totalRows": str(len(rows)), "schema": {"fields": fields},
            "jobReference": {"projectId": project, "jobId": "j1", "location": "EU"},
            "rows": [{"f": [{"v": str(cell)} for cell in row]} for row in rows],
        }
