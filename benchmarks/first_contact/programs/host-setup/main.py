"""Set up a host as code: pyinfra's API runs idempotent operations on the local machine, with a certificate made by cryptography and settings from a Jinja template."""
import datetime
import logging
import tempfile
from io import StringIO
from pathlib import Path

import pyinfra
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import BaseModel, Field
from pyinfra.api import BaseStateCallback, Config, Inventory, State
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.deploy import add_deploy
from pyinfra.api.facts import get_facts
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.facts.files import Directory, FindFiles, Sha256File
from pyinfra.facts.server import Kernel, Which
from pyinfra.operations import files

import deploys


class HostData(BaseModel):
    app_name: str = Field(pattern=r"^[a-z]+$")
    workers: int = Field(4, ge=1, le=64)


class Journal(BaseStateCallback):
    """Keep what became of every operation."""

    def __init__(self):
        self.lines = []

    def operation_end(self, state, op_hash):
        name = sorted(state.get_op_meta(op_hash).names)[0]
        changed = [state.ops[host][op_hash].operation_meta.did_change() for host in state.inventory]
        self.lines.append((name.rpartition("|")[2].strip(), any(changed)))


def certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example.org")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    cert = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(77)
        .not_valid_before(start).not_valid_after(start + datetime.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example.org")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True)
    (folder / "tls.crt").write_bytes(cert.public_bytes(serialization.Encoding.PEM))


def apply(root, data):
    """One run over the inventory, as the command `pyinfra @local deploy.py` would do it."""
    inventory = Inventory((["@local"], data.model_dump()), shops=(["@local"], {"tier": "front"}))
    state = State(inventory, Config(SUDO=False))
    journal = Journal()
    state.add_callback_handler(journal)
    connect_all(state)
    add_deploy(state, deploys.base, root)
    add_deploy(state, deploys.release, root, "1.4.0")
    add_op(state, files.put, name="Leave a note", src=StringIO("ready\n"), dest=f"{root}/etc/note")
    run_ops(state)
    host = inventory.get_host("@local")
    facts = {
        "found": sorted(Path(p).name for p in get_facts(state, FindFiles, kwargs={"path": f"{root}/etc"})[host]),
        "mode": get_facts(state, Directory, kwargs={"path": f"{root}/etc"})[host]["mode"],
        "sha": get_facts(state, Sha256File, kwargs={"path": f"{root}/etc/app.conf"})[host][:12],
        "kernel": get_facts(state, Kernel)[host],
        "sh": get_facts(state, Which, kwargs={"command": "sh"})[host] is not None,
        "tier": host.data.tier,
    }
    results = state.get_results_for_host(host)
    disconnect_all(state)
    return facts, results, journal.lines


def main():
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory() as t:
        root = Path(t).resolve() / "host"
        certificate(root / "in")
        data = HostData(app_name="shop")
        facts, first, lines = apply(str(root), data)
        _, second, again = apply(str(root), data)
        conf = (root / "etc" / "app.conf").read_text().splitlines()
        cert = x509.load_pem_x509_certificate((root / "etc" / "tls.crt").read_bytes())
        restarts = (root / "restarts").read_text().split()
    print("first", lines)
    print("again", again)
    print("OK", pyinfra.__version__, first.success_ops, first.error_ops, [n for n, changed in again if changed], facts, conf[0], len(conf), cert.serial_number, restarts)


if __name__ == "__main__":
    main()
