"""A release desk: a package is checked by validate-pyproject, built by Hatchling, looked into by check-wheel-contents, rated by Pyroma, and sent by Twine to an index of our own."""
import contextlib
import hashlib
import io
import os
import tempfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import tomlkit
from check_wheel_contents.checker import WheelChecker
from check_wheel_contents.contents import WheelContents
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.utils import parse_wheel_filename
from pyroma import distributiondata, ratings
from readme_renderer import markdown
from trove_classifiers import classifiers
from twine.commands import check, upload
from twine.settings import Settings
from validate_pyproject import api, errors

os.environ["NO_PROXY"] = "127.0.0.1"
os.environ["SOURCE_DATE_EPOCH"] = "1700000000"
TEMPLATE = Path(__file__).resolve().parent / "template"


class Index(BaseHTTPRequestHandler):
    """Stands in for a package index: notes what is sent to it."""

    seen = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fields = {k: v for k in (b"name", b"version", b"sha256_digest", b"filetype") for v in [self.field(body, k)]}
        Index.seen.append((fields[b"name"], fields[b"version"], fields[b"filetype"], fields[b"sha256_digest"], self.headers["Authorization"][:5]))
        self.send_response(200)
        self.end_headers()

    @staticmethod
    def field(body, name):
        head = b'name="' + name + b'"\r\n\r\n'
        return body.partition(head)[2].partition(b"\r\n")[0].decode()

    def log_message(self, *args):
        pass


def project(folder):
    names = {"name": "teapot", "module": "teapot", "version": "0.3.0"}
    (folder / "src/teapot").mkdir(parents=True)
    for source in sorted(TEMPLATE.glob("*.in")):
        (folder / source.stem).write_text(source.read_text().format(**names))
    (folder / "hooks.py").write_text((TEMPLATE / "hooks.txt").read_text())
    (folder / "src/teapot/__init__.py").write_text("def steep(leaf):\n    return {'green': 2, 'black': 4}[leaf]\n")
    (folder / "src/teapot/cli.py").write_text("def main():\n    print('tea')\n")
    (folder / "tests.py").write_text("")


def metadata(folder):
    doc = tomlkit.parse((folder / "pyproject.toml").read_text())
    valid = api.Validator()(doc.unwrap())
    doc["project"]["dependencies"] = ["rich >> 3"]
    try:
        api.Validator()(doc.unwrap())
    except errors.ValidationError as e:
        return valid["project"]["version"], str(e).splitlines()[0]


def wheel_checks(path):
    checker = WheelChecker()
    checker.configure_options(configpath=str(path.parent.parent / "pyproject.toml"))
    good = checker.check_contents(WheelContents.from_wheel(path))
    bad_path = path.with_name("bad-1.0-py3-none-any.whl")
    with zipfile.ZipFile(bad_path, "w") as z:
        z.writestr("bad-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        z.writestr("tests/a.py", "x = 1\n")
        z.writestr("tests/a.pyc", "")
        z.writestr("bad-1.0.dist-info/RECORD", "tests/a.py,,\ntests/a.pyc,,\nbad-1.0.dist-info/WHEEL,,\nbad-1.0.dist-info/RECORD,,\n")
    bad = WheelChecker().check_contents(WheelContents.from_wheel(bad_path))
    bad_path.unlink()
    return len(good), [f.check.name for f in bad]


def send(paths):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = Settings(repository_url=f"http://127.0.0.1:{server.server_port}/legacy/", username="leaf", password="secret", non_interactive=True, disable_progress_bar=True)
    upload.upload(settings, [str(p) for p in paths])
    server.shutdown()
    return sorted(Index.seen, key=lambda x: x[2])


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        project(folder)
        version, complaint = metadata(folder)
        dist = folder / "dist"
        wheel, = (Path(p) for p in WheelBuilder(str(folder)).build(directory=str(dist), versions=["standard"]))
        sdist, = (Path(p) for p in SdistBuilder(str(folder)).build(directory=str(dist), versions=["standard"]))
        with zipfile.ZipFile(wheel) as z:
            built = "teapot/_built.py" in z.namelist()
        good, bad = wheel_checks(wheel)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            failed = check.check([str(wheel), str(sdist)], strict=True)
        rating, hints = ratings.rate(distributiondata.get_data(str(sdist)), skip_tests=["SDist"])
        html = markdown.render((folder / "README.md").read_text()) or ""
        sent = send([wheel, sdist])
        honest = sent[0][3] in {hashlib.sha256(p.read_bytes()).hexdigest() for p in (wheel, sdist)}
    name, _, _, tags = parse_wheel_filename(wheel.name)
    print("OK", version, complaint, name, [str(t) for t in tags], built, good, bad, failed, rating, hints, "<script" in html, "<table" in html, [s[:3] + s[4:] for s in sent], honest, len(classifiers) > 800)


if __name__ == "__main__":
    main()
