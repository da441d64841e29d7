"""Alarms by post: Apprise sends by the scheme of a URL, a custom one among them and a mail to a local server, times of cron expressions over a daylight-saving change by Pendulum, bodies by Jinja from Markdown."""
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import apprise
import jinja2
import pendulum
from apprise.decorators import notify
from cronsim import CronSim, CronSimError
from cryptography.fernet import Fernet
from markdown_it import MarkdownIt

GOT = []
SENT = []


class Hook(BaseHTTPRequestHandler):
    def log_message(self, *_): ...

    def do_POST(self):
        GOT.append((self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.send_response(200)
        self.end_headers()


@notify(on="pager")
def pager(body, title, notify_type, *args, **kwargs):
    SENT.append((title, str(notify_type)))
    return True


def main():
    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    where = f"127.0.0.1:{server.server_port}"
    post = apprise.Apprise()
    added = [post.add(u) for u in (f"json://{where}/alarm", f"xml://{where}/x", f"form://{where}/f", "pager://now", "nonsense://x")]
    known = [type(apprise.Apprise.instantiate(u)).__name__ for u in ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "tgram://123456789:abcdefg_hijklmnop/12315544/", "ntfys://topic", "mailto://me:pass@gmail.com")]
    text = jinja2.Template("# {{ name }}\n\n- since *{{ since }}*\n").render(name="Disk", since=pendulum.datetime(2026, 3, 29, 1, tz="Europe/Berlin").add(hours=2).to_iso8601_string())
    html = MarkdownIt().render(text)
    sent = post.notify(title="Disk", body=html, body_format=apprise.NotifyFormat.HTML, notify_type=apprise.NotifyType.WARNING)
    server.shutdown()
    start = pendulum.datetime(2026, 3, 28, 12, tz="Europe/Berlin")
    times = CronSim("30 2 * * *", start)
    runs = [next(times).isoformat() for _ in range(3)]
    explained = CronSim("*/5 9-17 * * MON-FRI", start).explain()
    try:
        CronSim("61 * * * *", start)
    except CronSimError as error:
        wrong = str(error)
    words = [pendulum.datetime(2026, 3, 29).format("dddd D MMMM", locale=code) for code in ("de", "fr", "it")]
    ago = start.subtract(days=3).diff_for_humans(start, locale="de")
    key = Fernet(Fernet.generate_key())
    kept = json.loads(key.decrypt(key.encrypt(json.dumps(GOT).encode())))
    print("OK", added, known, sent, sorted(p for p, _ in kept), SENT, runs, explained, wrong, words, ago, len(apprise.Apprise().details()["schemas"]) > 60)


main()
