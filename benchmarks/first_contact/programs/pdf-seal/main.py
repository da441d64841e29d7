"""Sealed papers: a PDF written by fpdf2 with a QR code, signed by pyHanko with a made-up chain, validated, a second revision found, encrypted copies."""
import asyncio
import datetime
import io

import segno
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fpdf import FPDF
from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer
from pyhanko.sign import fields, signers
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.stamp import TextStampStyle
from pyhanko_certvalidator import ValidationContext
from asn1crypto import keys as asn1_keys, x509 as asn1_x509
from pyhanko_certvalidator.registry import SimpleCertificateStore


def paper():
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=14)
    pdf.cell(text="A paper that nobody may change")
    code = io.BytesIO()
    segno.make("https://paper.example/7").save(code, kind="png", scale=3)
    pdf.image(code, x=10, y=40, w=30)
    pdf.add_page()
    pdf.write_html("<h1>Terms</h1><ul><li>one</li></ul>")
    return bytes(pdf.output())


def signer():
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sealer")])
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(9)
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=9))
            .add_extension(x509.KeyUsage(True, True, False, False, False, True, False, False, False), True)
            .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256()))
    der = cert.public_bytes(serialization.Encoding.DER)
    raw = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    c = asn1_x509.Certificate.load(der)
    return c, signers.SimpleSigner(signing_cert=c, signing_key=asn1_keys.PrivateKeyInfo.load(raw), cert_registry=SimpleCertificateStore())


def main():
    cert, seal = signer()
    w = IncrementalPdfFileWriter(io.BytesIO(paper()))
    fields.append_signature_field(w, fields.SigFieldSpec("Seal", box=(200, 600, 400, 660), on_page=0))
    meta = signers.PdfSignatureMetadata(field_name="Seal", reason="sealed", md_algorithm="sha256")
    out = signers.PdfSigner(meta, seal, stamp_style=TextStampStyle(stamp_text="By %(signer)s")).sign_pdf(w)
    data = out.getvalue()
    trust = ValidationContext(trust_roots=[cert], allow_fetching=False)
    reader = PdfFileReader(io.BytesIO(data))
    status = validate_pdf_signature(reader.embedded_signatures[0], trust)
    broken = data.replace(b"sealed", b"s3aled", 1)
    bad = validate_pdf_signature(PdfFileReader(io.BytesIO(broken)).embedded_signatures[0], ValidationContext(trust_roots=[cert], allow_fetching=False))
    new = copy_into_new_writer(PdfFileReader(io.BytesIO(paper())))
    new.encrypt(owner_pass="o", user_pass="u")
    locked = io.BytesIO()
    new.write(locked)
    r = PdfFileReader(io.BytesIO(locked.getvalue()))
    r.decrypt("u")
    print("OK", status.bottom_line, bad.intact, r.root["/Pages"]["/Count"], reader.embedded_signatures[0].field_name)


main()
