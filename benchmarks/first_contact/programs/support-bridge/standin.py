"""A stand-in for Stripe, Slack, GitHub and Sentry on one local port; keeps what it was told."""
import gzip
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

CUSTOMERS = {
    "cus_1": {"id": "cus_1", "object": "customer", "email": "ada@mill.example", "name": "Ada", "metadata": {"plan": "gold"}},
    "cus_2": {"id": "cus_2", "object": "customer", "email": "bo@mill.example", "name": "Bo", "metadata": {}},
    "cus_3": {"id": "cus_3", "object": "customer", "email": "cy@mill.example", "name": "Cy", "metadata": {"plan": "gold"}},
}
CHARGES = {"ch_1": (4200, "eur", "cus_1"), "ch_2": (900, "usd", "cus_2")}


class Standin(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, value, **headers):
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json; charset=utf-8", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(body)

    def take(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            raw = gzip.decompress(raw)
        kind = self.headers.get("Content-Type", "")
        if "json" in kind:
            return json.loads(raw or b"{}")
        if "urlencoded" in kind:
            return {k: v[0] for k, v in parse_qs(raw.decode()).items()}
        return raw

    def handle_any(self):
        parts = urlsplit(self.path)
        data, query = self.take(), {k: v[0] for k, v in parse_qs(parts.query).items()}
        for method, pattern, view in ROUTES:
            match = method == self.command and re.fullmatch(pattern, parts.path)
            if match:
                return view(self, data, query, *match.groups())
        self.answer(404, {"message": "Not Found", "error": {"type": "invalid_request_error", "message": "no such path"}})

    do_GET = do_POST = do_PATCH = handle_any

    def customers(self, data, query):
        names = sorted(CUSTOMERS)
        start = names.index(query["starting_after"]) + 1 if "starting_after" in query else 0
        size = int(query.get("limit", 10))
        page = [CUSTOMERS[n] for n in names[start:start + size]]
        self.answer(200, {"object": "list", "url": "/v1/customers", "data": page, "has_more": start + size < len(names)})

    def charge(self, data, query, name):
        if name not in CHARGES:
            return self.answer(404, {"error": {"type": "invalid_request_error", "code": "resource_missing", "param": "id", "message": f"No such charge: '{name}'"}}, Request_Id="req_7")
        amount, currency, customer = CHARGES[name]
        self.answer(200, {"id": name, "object": "charge", "amount": amount, "currency": currency, "customer": CUSTOMERS[customer]})

    def refund(self, data, query):
        seen = self.server.told["refunds"]
        key = self.headers["Idempotency-Key"]
        if data["charge"] == "ch_2":
            return self.answer(402, {"error": {"type": "card_error", "code": "card_declined", "decline_code": "lost_card", "message": "Declined"}})
        seen.setdefault(key, {"id": f"re_{len(seen) + 1}", "object": "refund", "amount": int(data["amount"]), "status": "succeeded", "charge": data["charge"]})
        self.answer(200, seen[key])

    def slack(self, data, query, method):
        if isinstance(data, bytes):
            data = {}
        if method == "auth.test":
            return self.answer(200, {"ok": True, "team_id": "T1", "user_id": "U0", "bot_id": "B0", "bot_user_id": "U0", "url": "https://mill.slack.com/"})
        if method == "chat.postMessage":
            if data.get("channel") == "#gone":
                return self.answer(200, {"ok": False, "error": "channel_not_found"})
            if data.get("channel") == "#busy" and not self.server.told["busy"]:
                self.server.told["busy"].append(1)
                return self.answer(429, {"ok": False, "error": "ratelimited"}, Retry_After="1")
            self.server.told["posts"].append((data["channel"], data["text"]))
        if method == "users.list":
            users = [{"id": "U1", "name": "ada"}, {"id": "U2", "name": "bo"}]
            at = int(data.get("cursor") or query.get("cursor") or 0)
            return self.answer(200, {"ok": True, "members": users[at:at + 1], "response_metadata": {"next_cursor": "1" if at == 0 else ""}})
        self.answer(200, {"ok": True, "ts": f"1700000000.{len(self.server.told['posts']):06}", "channel": data.get("channel")})

    def respond(self, data, query):
        self.server.told["posts"].append(("response", data["text"]))
        self.answer(200, {"ok": True})

    def github_token(self, data, query, installation):
        bearer = self.headers["Authorization"].split()[1]
        self.server.told["jwt"].append(bearer)
        self.answer(201, {"token": f"ghs_{installation}", "expires_at": "2099-01-01T00:00:00Z", "permissions": {"issues": "write"}})

    def repo(self, data, query):
        self.answer(200, {"id": 1, "name": "loom", "full_name": "mill/loom", "url": self.server.base + "/repos/mill/loom", "open_issues_count": 3})

    def issues(self, data, query):
        page = int(query.get("page", 1))
        made = [{"id": n, "number": n, "title": f"Issue {n}", "state": "open", "labels": [{"name": "billing"}] if n % 2 else [], "url": self.server.base + f"/repos/mill/loom/issues/{n}"} for n in range(1, 6)]
        links = {"Link": f'<{self.server.base}/repos/mill/loom/issues?state=open&page={page + 1}>; rel="next"'} if page < 3 else {}
        self.answer(200, made[2 * page - 2:2 * page], **links)

    def new_issue(self, data, query):
        if not data["title"].strip():
            return self.answer(422, {"message": "Validation Failed", "errors": [{"resource": "Issue", "field": "title", "code": "missing_field"}]})
        self.server.told["issues"].append(data)
        self.answer(201, {"id": 60, "number": 60, "title": data["title"], "state": "open", "labels": [{"name": n} for n in data.get("labels", [])], "url": self.server.base + "/repos/mill/loom/issues/60"})

    def envelope(self, data, query):
        self.server.told["envelopes"].append(data)
        self.answer(200, {"id": "0" * 32})


ROUTES = [
    ("GET", "/v1/customers", Standin.customers),
    ("GET", r"/v1/charges/(\w+)", Standin.charge),
    ("POST", "/v1/refunds", Standin.refund),
    ("POST", r"/slack/api/([\w.]+)", Standin.slack),
    ("GET", r"/slack/api/([\w.]+)", Standin.slack),
    ("POST", "/slack/response", Standin.respond),
    ("POST", r"/app/installations/(\d+)/access_tokens", Standin.github_token),
    ("GET", "/repos/mill/loom", Standin.repo),
    ("GET", "/repos/mill/loom/issues", Standin.issues),
    ("POST", "/repos/mill/loom/issues", Standin.new_issue),
    ("POST", r"/api/\d+/envelope/", Standin.envelope),
]


def start():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Standin)
    server.daemon_threads = True
    server.base = f"http://127.0.0.1:{server.server_port}"
    server.told = {"refunds": {}, "posts": [], "busy": [], "jwt": [], "issues": [], "envelopes": []}
    Thread(target=server.serve_forever, daemon=True).start()
    return server
