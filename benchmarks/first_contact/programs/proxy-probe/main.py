"""A probe: mitmproxy runs in the process with an addon, HTTPX sends plain and TLS requests through it, flows are changed, saved and read again."""
import asyncio
import io
import ssl
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
from mitmproxy import http, io as flow_io, options
from mitmproxy.addons import default_addons
from mitmproxy import contentviews
from mitmproxy.master import Master
from mitmproxy.tools.dump import DumpMaster
from pydantic import BaseModel


class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"hello": "%s"}' % self.headers.get("x-probe", "none").encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *a):
        pass


class Seen(BaseModel):
    path: str
    status: int


class Addon:
    def __init__(self):
        self.flows = []

    def request(self, flow):
        flow.request.headers["x-probe"] = "yes"
        if flow.request.path == "/short":
            flow.response = http.Response.make(418, b"tea", {"content-type": "text/plain"})

    def response(self, flow):
        self.flows.append(flow)


async def main():
    d = Path(tempfile.mkdtemp())
    site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    addon = Addon()
    master = DumpMaster(options.Options(listen_host="127.0.0.1", listen_port=0, confdir=str(d)), with_termlog=False, with_dumper=False)
    master.addons.add(addon)
    task = asyncio.create_task(master.run())
    server = master.addons.get("proxyserver")
    for _ in range(200):
        await asyncio.sleep(0.05)
        if server.listen_addrs():
            break
    port = server.listen_addrs()[0][1]
    base = f"http://127.0.0.1:{site.server_address[1]}"
    async with httpx.AsyncClient(proxy=f"http://127.0.0.1:{port}", verify=False) as web:
        one = await web.get(base + "/one")
        short = await web.get(base + "/short")
    ca = (d / "mitmproxy-ca-cert.pem").exists()
    seen = [Seen(path=f.request.path, status=f.response.status_code) for f in addon.flows]
    pretty = contentviews.get_message_content_view("auto", addon.flows[0].response, addon.flows[0])
    buf = io.BytesIO()
    writer = flow_io.FlowWriter(buf)
    for f in addon.flows:
        writer.add(f)
    buf.seek(0)
    back = list(flow_io.FlowReader(buf).stream())
    master.shutdown()
    await task
    print("OK", one.json()["hello"], short.status_code, [s.status for s in seen], ca, len(back), pretty[0], any('hello' in t for line in pretty[1] for _, t in line))


asyncio.run(main())
