"""Mail goes round: MiniJinja templates, inlined CSS, S/MIME and DKIM signatures, sent to an aiosmtpd server and read back."""
import asyncio
import datetime
import email
import email.policy
from email.message import EmailMessage

import aiosmtplib
import css_inline
import dkim
import html2text
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID
from mailparser_reply import EmailReplyParser
from minijinja import Environment
from pydantic import BaseModel, EmailStr, NameEmail

PAGE = "<html><head><style>h1 { color: red } .n { font-weight: bold }</style></head><body><h1>Hello {{ to.name }}</h1><p class='n'>{{ n|pluralize('parcel') }}</p></body></html>"


class Letter(BaseModel):
    sender: EmailStr
    to: NameEmail
    n: int


class Box(Message):
    def __init__(self):
        super().__init__()
        self.got = []

    def handle_message(self, message):
        self.got.append(message)


def sign(key, data):
    now = datetime.datetime(2026, 1, 1)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "post")])
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
            .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=9)).sign(key, hashes.SHA256()))
    return pkcs7.PKCS7SignatureBuilder().set_data(data).add_signer(cert, key, hashes.SHA256()).sign(serialization.Encoding.SMIME, [pkcs7.PKCS7Options.DetachedSignature])


def compose(letter):
    env = Environment(templates={"page.html": PAGE}, filters={"pluralize": lambda n, w: f"{n} {w}{'' if n == 1 else 's'}"})
    html = css_inline.inline(env.render_template("page.html", **letter.model_dump(exclude={"to"}), to={"name": letter.to.name}))
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = letter.sender, str(letter.to), "Päckchen"
    m["Date"] = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    m.set_content(html2text.html2text(html))
    m.add_alternative(html, subtype="html")
    m.add_attachment(b"a;b\n1;2\n", maintype="text", subtype="csv", filename="list.csv")
    return m


def main():
    letter = Letter(sender="post@example.com", to="Ann Ösi <ann@example.com>", n=2)
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    import base64
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    m = compose(letter)
    raw = m.as_bytes(policy=email.policy.SMTP)
    header = dkim.sign(raw, b"sel", b"example.com", pem, include_headers=[b"from", b"subject"])
    m["DKIM-Signature"] = header.decode().split(": ", 1)[1].replace("\r\n", "").strip()
    ok = dkim.verify(header + raw, dnsfunc=lambda name, timeout=5: record)
    box = Box()
    server = Controller(box, hostname="127.0.0.1", port=0)
    server.port = __import__("socket").create_server(("127.0.0.1", 0)).getsockname()[1]
    server.start()
    asyncio.run(aiosmtplib.send(m, hostname="127.0.0.1", port=server.port, start_tls=False))
    server.stop()
    got = email.message_from_bytes(box.got[0].as_bytes(), policy=email.policy.default)
    html = got.get_body(("html",)).get_content()
    reply = EmailReplyParser(languages=["en", "de"]).read("Thanks!\n\nOn Mon, Jan 5, 2026 at 9:00 AM Post <post@example.com> wrote:\n> hello\n").latest_reply
    smime = sign(key, b"signed text\n")
    assert 'style="color: red' in html, html
    print("OK", got["Subject"], [a.get_filename() for a in got.iter_attachments()], ok, reply, b"multipart/signed" in smime, "**" in m.get_body(("plain",)).get_content() or "Hello" in html)


if __name__ == "__main__":
    main()
