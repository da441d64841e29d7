"""An invoice is embedded in a PDF, signed with XAdES, registered at a SOAP notary, and checked against its schemas."""
import datetime as dt
import io
import socket
from decimal import Decimal

import cherrypy
import facturx
import stdnum
import xmlschema
import zeep
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree
from pypdf import PdfReader, PdfWriter
from signxml import DigestAlgorithm, SignatureConfiguration, SignatureMethod, XMLVerifier
from signxml.exceptions import InvalidDigest
from signxml.xades import XAdESDataObjectFormat, XAdESSigner, XAdESVerifier, XAdESVerifyResult
from zeep.wsse.username import UsernameToken

from service import CONTRACTS, Notary


def make_invoice() -> tuple[bytes, str, int]:
    xml = (CONTRACTS / "invoice.xml").read_bytes()
    writer, source = PdfWriter(), io.BytesIO()
    writer.add_blank_page(595, 842)
    writer.write(source)
    hybrid = facturx.generate_from_binary(source.getvalue(), xml, level="minimum", lang="fr-FR", check_schematron=False)
    name, embedded = facturx.get_xml_from_pdf(hybrid)
    assert b"FA-2024-017" in embedded and "FA-2024-017" in PdfReader(io.BytesIO(hybrid)).metadata.title
    level = facturx.get_level(etree.fromstring(embedded))
    return embedded, f"{name} {level}", len(PdfReader(io.BytesIO(hybrid)).attachments)


def make_identity() -> tuple[bytes, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "notary.example"), x509.NameAttribute(NameOID.COUNTRY_NAME, "FR")])
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(4711)
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA384())
    )
    return certificate.public_bytes(Encoding.PEM), key


def sign(document: bytes) -> tuple[bytes, str, str]:
    certificate, key = make_identity()
    signer = XAdESSigner(
        signature_algorithm=SignatureMethod.ECDSA_SHA384,
        digest_algorithm=DigestAlgorithm.SHA512,
        data_object_format=XAdESDataObjectFormat(Description="invoice", MimeType="text/xml"),
        claimed_roles=["seller"],
    )
    signed = signer.sign(etree.fromstring(document), key=key, cert=certificate.decode())
    data = etree.tostring(signed)
    verified = XAdESVerifier().verify(data, x509_cert=certificate.decode(), expect_references=3)
    properties = next(result for result in verified if isinstance(result, XAdESVerifyResult)).signed_properties
    role = properties.findtext(".//{*}ClaimedRole")
    rejected = ""
    try:
        XMLVerifier().verify(data.replace(b"749.88", b"749.89"), x509_cert=certificate.decode(), expect_config=SignatureConfiguration(require_x509=True, expect_references=3))
    except InvalidDigest as error:
        rejected = type(error).__name__
    return data, role, rejected


def register(port: int, signed: bytes) -> tuple[int, Decimal, str, str]:
    client = zeep.Client(f"http://127.0.0.1:{port}/soap?wsdl", wsse=UsernameToken("curie", "radium", use_digest=True))
    kind = client.get_type("{urn:example:notary}Document")
    documents = [
        kind(name=f"page {i}", issued=dt.date(2024, 5, i + 1), amount=Decimal("749.88") + i, content=signed[: 100 * (i + 1)], level="qualified" if i % 2 else "basic")
        for i in range(3)
    ]
    answer = client.service.Register(owner="Atelier Curie", document=documents)
    fault = ""
    try:
        documents[0].level = "royal"
        client.service.Register(owner="Nobody", document=documents)
    except zeep.exceptions.Fault as error:
        fault = str(error.code)
    return len(answer.entry), answer.total, str(max(entry.validUntil for entry in answer.entry)), fault


def ledger() -> tuple[Decimal, str, int]:
    schema = xmlschema.XMLSchema11(CONTRACTS / "ledger.xsd")
    lines = "".join(f'<line day="2024-05-{i:02d}T12:00:00Z">{i}.5</line>' for i in range(1, 8))
    good, bad = f'<ledger sum="31.5">{lines}</ledger>', f'<ledger sum="32.5">{lines}</ledger>'
    value = schema.to_dict(good, converter=xmlschema.BadgerFishConverter, decimal_type=Decimal)
    errors = [error.reason for error in schema.iter_errors(bad)]
    back = schema.encode(value, path="ledger", converter=xmlschema.BadgerFishConverter)
    invoice = xmlschema.XMLSchema(xmlschema.XMLSchema.meta_schema.url).name
    assert len(back) == 7 and "assertion" in errors[0] and invoice, (errors, invoice)
    return sum(line["$"] for line in value["ledger"]["line"]), invoice, len(errors)


def main() -> None:
    invoice, level, attachments = make_invoice()
    vat = stdnum.get_cc_module("fr", "vat").compact("FR 44 732 829 320")
    checked = [stdnum.get_cc_module(country, "vat").is_valid(number) for country, number in (("fr", "FR44732829320"), ("de", "DE136695976"), ("nl", "NL4495445B01"), ("es", "ESB58378431"))]
    signed, role, rejected = sign(invoice)
    print("signed:", role, rejected, vat, checked)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    notary = Notary()
    cherrypy.config.update({"server.socket_host": "127.0.0.1", "server.socket_port": port, "environment": "production", "log.screen": False})
    cherrypy.tree.mount(notary, "/", {"/": {"tools.gzip.on": True}})
    cherrypy.engine.start()
    try:
        entries, total, until, fault = register(port, signed)
    finally:
        cherrypy.engine.exit()
    print("registered:", entries, total, until, fault, notary.users)
    booked, schema, errors = ledger()
    print("ledger:", booked, schema, errors)
    print(f"OK {level} {attachments} attachment, {role} {rejected}, {sum(checked)} vat numbers, soap {entries} {total} {until} {fault} {'+'.join(notary.users)}, ledger {booked} {schema} {errors}")


if __name__ == "__main__":
    main()
