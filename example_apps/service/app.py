"""Sign messages over HTTP, and tell which files of a folder have changed.

Usage: app.py                       start, ask over loopback, stop
       app.py --serve PORT FOLDER   serve until the process is told to stop
"""

import asyncio
import contextlib
import http.client
import json
import logging
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from granian.constants import Interfaces
from granian.server.embed import Server
from watchfiles import awatch

# https://www.rfc-editor.org/rfc/rfc8032#section-7.1, TEST 2
SECRET = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
MESSAGE = "72"
PATIENCE = 20  # seconds


class Application:
    """The ASGI application, with what the watcher has seen so far."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.from_private_bytes(SECRET)
        self.changed: set[str] = set()

    async def watch(self, folder: Path) -> None:
        async for changes in awatch(folder, debounce=50, step=20, rust_timeout=200):
            self.changed |= {f"{change.name} {Path(path).name}" for change, path in changes}

    async def __call__(self, scope, _receive, send) -> None:
        if scope["type"] != "http":
            return
        status, answer = self.answer(scope["path"])
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def answer(self, path: str) -> tuple[int, object]:
        if path == "/changes":
            return 200, sorted(self.changed)
        if path.startswith("/sign/"):
            try:
                message = bytes.fromhex(path.removeprefix("/sign/"))
            except ValueError:
                return 400, "not hexadecimal"
            return 200, self.key.sign(message).hex()
        return 404, "no such page"


def ask(port: int, path: str) -> tuple[int, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def converse(port: int, folder: Path) -> list[str]:
    """Ask until the service answers, then for each of its pages."""
    said = []
    for path in (f"/sign/{MESSAGE}", "/sign/xyz", "/nowhere"):
        status, answer = insist(port, path)
        said.append(f"{path}: {status} {answer}")
    (folder / "note.txt").write_text("new")
    status, answer = insist(port, "/changes", wanted=["added note.txt"])
    return [*said, f"/changes: {status} {answer}"]


def insist(port: int, path: str, wanted: object = None) -> tuple[int, object]:
    """Ask again for a while, as long as nobody answers or not yet with what is wanted."""
    answer: tuple[int, object] = (0, "no answer")
    for _ in range(PATIENCE * 10):
        with contextlib.suppress(ConnectionError):
            answer = ask(port, path)
            if wanted is None or answer[1] == wanted:
                break
        time.sleep(0.1)
    return answer


async def serve(port: int, folder: Path, until) -> None:
    """Serve and watch until the coroutine `until` has ended."""
    application = Application()
    server = Server(application, port=port, interface=Interfaces.ASGINL, log_enabled=False)
    watching = asyncio.create_task(application.watch(folder))
    serving = asyncio.create_task(server.serve())
    await until
    server.stop()
    await serving
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def run_alone() -> None:
    with tempfile.TemporaryDirectory() as name:
        port, folder = free_port(), Path(name).resolve()
        said: list[str] = []

        async def talk() -> None:
            said.extend(await asyncio.to_thread(converse, port, folder))

        await serve(port, folder, talk())
    print("\n".join(said))
    print("stopped")


async def run_service(port: int, folder: Path) -> None:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await serve(port, folder, told.wait())
    print("stopped")


def main() -> None:
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    if len(sys.argv) > 1:
        asyncio.run(run_service(int(sys.argv[2]), Path(sys.argv[3]).resolve()))
    else:
        asyncio.run(run_alone())


if __name__ == "__main__":
    main()
