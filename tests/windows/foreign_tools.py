"""A pytest plugin for the unit tests in a Python for Windows under wine: compilers of this machine.

In: commands that a test starts, `gcc` and its kin or `python -m ziglang`. Out: what they answer
where they run, on the Linux around wine: `serve` takes the orders there, and the plugin, on the
side of wine, hands them over, with paths in the other's spelling. All else is started as usual.
"""

from __future__ import annotations

import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

TOOLS = ("gcc", "cc", "readelf", "objcopy", "strip", "ar", "ld", "objdump", "nm")
PORT = "RUSTEXT_TOOLS_PORT"
DRIVE_C = "RUSTEXT_DRIVE_C"


def serve() -> int:
    """Take orders until this process ends; the port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            order = json.loads(self.rfile.readline())
            command = [sys.executable if w == "python" else w for w in order["command"]]
            done = subprocess.run(
                command, cwd=order["cwd"], capture_output=True, timeout=300, check=False
            )
            answer = [done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1")]
            self.wfile.write(json.dumps(answer).encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


def as_posix(word: str) -> str:
    """A command's word with its path, if it holds one, in the spelling of the system around."""
    for drive, root in (("Z:", ""), ("C:", os.environ[DRIVE_C])):
        start = word.find(f"{drive}\\")
        if start >= 0:
            return word[:start] + root + word[start + 2 :].replace("\\", "/")
    return word


if sys.platform == "win32":
    _run = subprocess.run

    def run(command: Any, *arguments: Any, **options: Any) -> subprocess.CompletedProcess[Any]:
        words = [os.fspath(w) for w in command] if isinstance(command, list | tuple) else []
        if words[:1] == [sys.executable] and words[1:3] == ["-m", "ziglang"]:
            words[0] = "python"
        elif not words or words[0] not in TOOLS:
            return _run(command, *arguments, **options)
        cwd = as_posix(str(Path(options.get("cwd") or ".").absolute()))
        order = {"command": [as_posix(w) for w in words], "cwd": cwd}
        with socket.create_connection(("127.0.0.1", int(os.environ[PORT]))) as link:
            link.sendall(json.dumps(order).encode() + b"\n")
            answer = b"".join(iter(lambda: link.recv(1 << 16), b""))
        code, *told = json.loads(answer)
        out, err = (text.encode("latin-1") for text in told)
        if options.get("text") or options.get("encoding"):
            out, err = out.decode(errors="replace"), err.decode(errors="replace")
        if code and options.get("check"):
            raise subprocess.CalledProcessError(code, command, out, err)
        return subprocess.CompletedProcess(command, code, out, err)

    subprocess.run = run
