"""An SSH courier: an AsyncSSH server with password and key checks, SFTP from an AsyncSSH client and a command from Paramiko."""
import asyncio
import io
import tempfile
from pathlib import Path

import asyncssh
import bcrypt
import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

PASSWORDS = {"ann": bcrypt.hashpw(b"secret", bcrypt.gensalt(4))}


class Server(asyncssh.SSHServer):
    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return bcrypt.checkpw(password.encode(), PASSWORDS.get(username, b""))


def handle(process):
    process.stdout.write(f"you said {process.command}\n")
    process.exit(0)


def with_paramiko(port, key):
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", port, username="bob", pkey=key, look_for_keys=False, allow_agent=False)
    _, out, _ = client.exec_command("date")
    text = out.read().decode().strip()
    kind = client.get_transport().get_remote_server_key().get_name()
    client.close()
    return text, kind


async def work(root):
    user_key = ed25519.Ed25519PrivateKey.generate()
    pem = user_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()
    pkey = paramiko.Ed25519Key.from_private_key(io.StringIO(pem))
    (root / "authorized").write_text(f"{pkey.get_name()} {pkey.get_base64()} bob\n")
    server = await asyncssh.create_server(
        Server, "127.0.0.1", 0,
        server_host_keys=[asyncssh.generate_private_key("ecdsa-sha2-nistp256")],
        authorized_client_keys=str(root / "authorized"),
        process_factory=handle, sftp_factory=asyncssh.SFTPServer,
    )
    port = server.sockets[0].getsockname()[1]
    (root / "up.txt").write_text("parcel " * 500)
    async with asyncssh.connect("127.0.0.1", port, username="ann", password="secret", known_hosts=None, client_keys=None) as c:
        async with c.start_sftp_client() as sftp:
            await sftp.put(str(root / "up.txt"), str(root / "down.txt"))
            names = sorted(n for n in await sftp.listdir(str(root)) if not n.startswith("."))
        result = await c.run("hello", check=True)
        cipher = c.get_extra_info("send_cipher")
    try:
        await asyncssh.connect("127.0.0.1", port, username="ann", password="wrong", known_hosts=None, client_keys=None)
        refused = False
    except asyncssh.PermissionDenied:
        refused = True
    text, kind = await asyncio.to_thread(with_paramiko, port, pkey)
    server.close()
    await server.wait_closed()
    return names, result.stdout.strip(), cipher, refused, text, kind


def main():
    with tempfile.TemporaryDirectory() as t:
        names, said, cipher, refused, text, kind = asyncio.run(work(Path(t)))
    assert refused and said == "you said hello" and text == "you said date"
    print("OK", names, cipher, kind)


if __name__ == "__main__":
    main()
