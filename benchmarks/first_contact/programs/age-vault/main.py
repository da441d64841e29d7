"""A vault: files sealed with age by pyrage, pass phrases from a keyring whose backend is chosen at run time, a wizard of Questionary fed through a pipe, a Click command."""
import os
import tempfile
from pathlib import Path

os.environ["HOME"] = tempfile.mkdtemp()
os.environ["XDG_DATA_HOME"] = os.environ["HOME"]
os.environ["PYTHON_KEYRING_BACKEND"] = "keyrings.alt.file.PlaintextKeyring"

import click
import keyring
import keyring.backend
import pyrage
import questionary
from click.testing import CliRunner
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput


@click.group()
def cli():
    pass


@cli.command()
@click.argument("path", type=click.Path(path_type=Path))
def seal(path):
    who = pyrage.x25519.Identity.generate()
    keyring.set_password("vault", path.name, str(who))
    path.with_suffix(".age").write_bytes(pyrage.encrypt(path.read_bytes(), [who.to_public()]))
    click.secho(f"sealed {path.name}", fg="green")


@cli.command()
@click.argument("path", type=click.Path(path_type=Path))
def read(path):
    who = pyrage.x25519.Identity.from_str(keyring.get_password("vault", path.with_suffix(".txt").name))
    click.echo(pyrage.decrypt(path.read_bytes(), [who]).decode())


def wizard():
    with create_pipe_input() as pipe:
        pipe.send_text("Ada\r")
        name = questionary.text("Who?", input=pipe, output=DummyOutput()).unsafe_ask()
        pipe.send_text("\x1b[B\r")
        kind = questionary.select("What?", ["key", "phrase"], input=pipe, output=DummyOutput()).unsafe_ask()
    return name, kind


def main():
    path = Path(tempfile.mkdtemp()) / "a.txt"
    path.write_text("the treasure")
    run = CliRunner()
    one = run.invoke(cli, ["seal", str(path)])
    two = run.invoke(cli, ["read", str(path.with_suffix(".age"))])
    assert one.exit_code == two.exit_code == 0, (one.exception, two.exception)
    phrase = pyrage.passphrase.decrypt(pyrage.passphrase.encrypt(b"x", "pw"), "pw")
    names = sorted({type(k).__module__.split(".")[0] for k in keyring.backend.get_all_keyring()})
    print("OK", one.output.strip(), two.output.strip(), wizard(), phrase, type(keyring.get_keyring()).__name__, names)


main()
