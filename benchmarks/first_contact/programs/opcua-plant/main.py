"""A plant: an OPC UA server with a custom object type, an encrypted endpoint, a client that subscribes, readings in Polars, a Typer command."""
import asyncio
import datetime
import tempfile
from pathlib import Path

import polars as pl
import typer
from asyncua import Client, Server, ua
from asyncua.crypto.cert_gen import generate_private_key, dump_private_key_as_pem
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from typer.testing import CliRunner

app = typer.Typer()


def credentials(folder, name):
    key = generate_private_key()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(5)
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=9))
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"urn:{name}"), x509.DNSName("localhost")]), False)
            .sign(key, hashes.SHA256()))
    (folder / f"{name}.der").write_bytes(cert.public_bytes(Encoding.DER))
    (folder / f"{name}.pem").write_bytes(dump_private_key_as_pem(key))
    return str(folder / f"{name}.der"), str(folder / f"{name}.pem")


class Handler:
    def __init__(self):
        self.rows = []

    def datachange_notification(self, node, value, data):
        self.rows.append(value)


async def plant():
    folder = Path(tempfile.mkdtemp())
    cert, key = credentials(folder, "server")
    ccert, ckey = credentials(folder, "client")
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:48411/plant")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity, ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    await server.set_application_uri("urn:server")
    await server.load_certificate(cert)
    await server.load_private_key(key)
    idx = await server.register_namespace("http://plant.example")
    kind = await server.nodes.base_object_type.add_object_type(idx, "Boiler")
    await (await kind.add_variable(idx, "temperature", 20.0)).set_modelling_rule(True)
    boiler = await server.nodes.objects.add_object(idx, "boiler", objecttype=kind)
    temperature = await boiler.get_child(f"{idx}:temperature")
    handler = Handler()
    async with server:
        async with Client("opc.tcp://127.0.0.1:48411/plant") as client:
            sub = await client.create_subscription(50, handler)
            await sub.subscribe_data_change(client.get_node(temperature.nodeid))
            for value in (30.0, 45.5):
                await asyncio.sleep(0.3)
                await temperature.write_value(value)
            await asyncio.sleep(0.4)
            states = len(await client.nodes.root.get_children())
        secure = Client("opc.tcp://127.0.0.1:48411/plant")
        secure.application_uri = "urn:client"
        await secure.set_security(SecurityPolicyBasic256Sha256, ccert, ckey, server_certificate=cert)
        async with secure:
            sealed = await secure.get_node(temperature.nodeid).read_value()
    return pl.DataFrame({"t": handler.rows}), states, sealed


@app.command()
def watch():
    frame, states, sealed = asyncio.run(plant())
    typer.echo(f"OK {frame['t'].to_list()} {frame['t'].max()} {states} {sealed}")


result = CliRunner().invoke(app, [])
assert result.exit_code == 0, (result.output, result.exception)
print(result.output.strip().splitlines()[-1])
