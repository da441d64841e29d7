"""The shop that is crawled: a small local server, so that the tool can check itself offline."""
import http.server
import json
import pathlib
import threading
import urllib.parse

SITE = pathlib.Path(__file__).parent / "site"


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        kind, status = "text/html; charset=utf-8", 200
        page = SITE / (url.path.strip("/") or "index.html")
        if url.path == "/robots.txt":
            kind, body = "text/plain", b"User-agent: *\nDisallow: /private\n"
        elif url.path == "/search":
            query = urllib.parse.parse_qs(url.query)
            body = f"<html><body><p id='hit'>{query['q'][0]} by {query['sort'][0]}</p></body></html>".encode()
        elif url.path == "/stock.json":
            kind, body = "application/json", json.dumps({"items": [{"sku": "B1", "left": 3}, {"sku": "B2", "left": 0}]}).encode()
        elif page.is_file():
            body = page.read_bytes()
        else:
            status, body = 404, b"<html><body>gone</body></html>"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"
