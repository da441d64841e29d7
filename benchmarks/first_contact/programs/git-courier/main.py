"""A courier for Git: a repository made and changed by Dulwich, branches merged and packed, patches read by unidiff, served to a clone over a local socket, keys by Paramiko, a Typer command, changes seen by watchfiles."""
import io
import tempfile
import threading
from pathlib import Path

import humanize
import paramiko
import typer
from dulwich import porcelain
from dulwich.objects import Blob, Tree
from dulwich.repo import Repo
from dulwich.server import DictBackend, TCPGitServer
from typer.testing import CliRunner
from unidiff import PatchSet
from watchfiles import watch

app = typer.Typer()


@app.command()
def log(path: Path, limit: int = 5):
    """Show the last changes."""
    with Repo(str(path)) as repo:
        for entry in repo.get_walker(max_entries=limit):
            typer.secho(f"{entry.commit.message.decode().strip()}", fg="green")


def commit(folder, name, text, message):
    (folder / name).write_text(text)
    porcelain.add(str(folder), [str(folder / name)])
    return porcelain.commit(str(folder), message.encode(), author=b"Ada <ada@example.org>", committer=b"Ada <ada@example.org>", commit_timestamp=1700000000, author_timestamp=1700000000)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "work"
        folder.mkdir()
        porcelain.init(str(folder))
        first = commit(folder, "a.txt", "one\ntwo\n", "first")
        second = commit(folder, "a.txt", "one\n2\nthree\n", "second")
        porcelain.branch_create(str(folder), "side")
        porcelain.tag_create(str(folder), b"v1", message=b"one", annotated=True, author=b"Ada <ada@example.org>")
        out = io.BytesIO()
        with Repo(str(folder)) as repo:
            porcelain.diff_tree(repo, repo[first].tree, repo[second].tree, outstream=out)
            patch = PatchSet(out.getvalue().decode())
            counts = patch[0].added, patch[0].removed
            blob, tree = Blob.from_string(b"x"), Tree()
            tree.add(b"x", 0o100644, blob.id)
            repo.object_store.pack_loose_objects()
            packs = len(list(repo.object_store.packs))
        server = TCPGitServer(DictBackend({b"/": Repo(str(folder))}), "127.0.0.1", 0)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        target = Path(name) / "clone"
        porcelain.clone(f"git://127.0.0.1:{server.server_address[1]}/", str(target), errstream=io.BytesIO()).close()
        server.shutdown()
        cloned = (target / "a.txt").read_text()
        shown = CliRunner().invoke(app, [str(target)])
        stop = threading.Event()
        threading.Timer(0.3, lambda: (target / "new.txt").write_text("x")).start()
        changes = next(watch(str(target), stop_event=stop, rust_timeout=5000, yield_on_timeout=True))
        status = porcelain.status(str(target)).untracked
    key = paramiko.ECDSAKey.generate()
    text = io.StringIO()
    key.write_private_key(text, password="secret")
    text.seek(0)
    again = paramiko.ECDSAKey.from_private_key(text, password="secret") == key
    print("OK", counts, packs, cloned.split(), shown.output.split(), len(changes) >= 1, [Path(str(s if isinstance(s, str) else s.decode())).name for s in status], again, humanize.naturalsize(1234), tree.id.decode()[:6])


main()
