"""A small vault: KeePass files, JOSE and PASETO tokens, a private CA, password strength and pass phrases."""
import argparse
import base64
import datetime as dt
import json
import ssl
import tempfile
from pathlib import Path

import bcrypt
import pyotp
import pyseto
import trustme
from Crypto.Cipher import AES
from Crypto.Protocol.SecretSharing import Shamir
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError
from jwcrypto import jwe, jwk, jws, jwt
from jwcrypto.common import JWException
from pykeepass import create_database, PyKeePass
from pykeepass.exceptions import CredentialsError
from rich.console import Console
from rich.table import Table
from xkcdpass import xkcd_password
from zxcvbn import zxcvbn

WEAK = ["password1", "qwerty2019", "Tr0ub4dour&3", "correct horse battery staple"]


def vault(folder):
    path, key = folder / "team.kdbx", folder / "team.key"
    key.write_bytes(bytes(range(64)))
    kp = create_database(str(path), password="open sesame", keyfile=str(key))
    servers = kp.add_group(kp.root_group, "Servers", notes="in the cellar")
    backup = kp.add_group(servers, "Backup", icon="42")
    kp.add_entry(servers, "mail", "postmaster", "s3cret", url="https://mail.example.org", tags=["mail", "prod"])
    entry = kp.add_entry(backup, "tape", "operator", "rewind", otp="otpauth://totp/tape?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    entry.set_custom_property("slot", "7", protect=True)
    binary = kp.add_binary(b"-----BEGIN TAPE-----", compressed=True)
    entry.add_attachment(binary, "tape.pem")
    kp.save()
    entry.password = "forward"
    entry.save_history()
    kp.save()
    again = PyKeePass(str(path), password="open sesame", keyfile=str(key))
    found = again.find_entries(title="tape", first=True)
    print("vault", again.version, again.kdf_algorithm, again.encryption_algorithm, [e.title for e in again.entries])
    print("vault", found.path, found.get_custom_property("slot"), found.attachments[0].data.decode(), len(found.history))
    print("otp", pyotp.parse_uri(found.otp).at(0), [e.username for e in again.find_entries(tags=["prod"])])
    try:
        PyKeePass(str(path), password="wrong", keyfile=str(key))
    except CredentialsError:
        print("vault refused")


def tokens(_):
    key = jwk.JWK(**{"kty": "oct", "k": base64.urlsafe_b64encode(b"k" * 32).rstrip(b"=").decode(), "kid": "one"})
    token = jwt.JWT(header={"alg": "HS256"}, claims={"sub": "ada", "exp": 4102444800})
    token.make_signed_token(key)
    print("jwt", token.serialize().split(".")[0], json.loads(jwt.JWT(jwt=token.serialize(), key=key).claims)["sub"])
    for kind in ({"kty": "RSA", "size": 2048}, {"kty": "EC", "crv": "P-256"}, {"kty": "OKP", "crv": "X25519"}):
        pair = jwk.JWK.generate(**kind)
        alg = "RSA-OAEP-256" if kind["kty"] == "RSA" else "ECDH-ES+A256KW"
        box = jwe.JWE(b"in the box", json.dumps({"alg": alg, "enc": "A256CBC-HS512", "zip": "DEF"}), recipient=jwk.JWK(**pair.export_public(as_dict=True)))
        back = jwe.JWE()
        back.deserialize(box.serialize(compact=True), key=pair)
        print("jwe", kind["kty"], back.payload.decode(), pair.has_private)
    sign = jws.JWS(b"payload")
    okp = jwk.JWK.generate(kty="OKP", crv="Ed25519")
    sign.add_signature(okp, None, json.dumps({"alg": "EdDSA"}), json.dumps({"kid": okp.thumbprint()}))
    try:
        jws.JWS.from_jose_token(sign.serialize()).verify(jwk.JWK.generate(kty="OKP", crv="Ed25519"))
    except (jws.InvalidJWSSignature, JWException) as error:
        print("jws refused", type(error).__name__)
    for version in (3, 4):
        local = pyseto.Key.new(version=version, purpose="local", key=b"\x01" * 32)
        said = pyseto.encode(local, {"data": "sealed"}, footer={"kid": "x"}, serializer=json)
        plain = pyseto.decode(local, said, deserializer=json)
        print("paseto", said[:9].decode(), plain.payload["data"], plain.footer["kid"])
    pem = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x05" * 32).private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = pyseto.Key.new(version=4, purpose="public", key=pem)
    print("paseto", pyseto.encode(public, b"signed")[-12:].decode(), public.to_paserk_id()[:12])


def authority(folder):
    ca = trustme.CA(organization_name="Cellar", key_type=trustme.KeyType.RSA)
    child = ca.create_child_ca(key_type=trustme.KeyType.RSA)
    leaf = child.issue_cert("mail.example.org", "10.0.0.7", common_name="mail.example.org", key_type=trustme.KeyType.RSA)
    cert = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    print("leaf", names.get_values_for_type(x509.DNSName), [str(a) for a in names.get_values_for_type(x509.IPAddress)], cert.signature_hash_algorithm.name)
    issuer = x509.load_pem_x509_certificate(leaf.cert_chain_pems[1].bytes())
    issuer.public_key().verify(cert.signature, cert.tbs_certificate_bytes, padding.PKCS1v15(), cert.signature_hash_algorithm)
    roots = Store([x509.load_pem_x509_certificate(ca.cert_pem.bytes())])
    loose = ExtensionPolicy.permit_all().require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    for host in ("mail.example.org", "web.example.org"):
        verifier = PolicyBuilder().store(roots).extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=loose).build_server_verifier(x509.DNSName(host))
        try:
            print("tls", host, len(verifier.verify(cert, [issuer])), "certificates in the chain")
        except VerificationError as error:
            print("tls", host, str(error).split(":")[-1].strip().split(" (")[0][:60])
    client = ssl.create_default_context()
    ca.configure_trust(client)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(server)
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    store = pkcs12.serialize_key_and_certificates(b"mail", key, cert, [issuer], serialization.BestAvailableEncryption(b"pw"))
    (folder / "mail.p12").write_bytes(store)
    loaded = pkcs12.load_pkcs12((folder / "mail.p12").read_bytes(), b"pw")
    print("p12", loaded.cert.friendly_name.decode(), len(loaded.additional_certs), server.cert_store_stats()["x509"] >= 0)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name.from_rfc4514_string("CN=desk,O=Cellar")).sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA384())
    print("csr", request.subject.rfc4514_string(), request.is_signature_valid)
    try:
        issuer.public_key().verify(b"x" * 256, b"other", padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        print("signature refused")


def strength(_):
    table = Table("password", "score", "advice", title="Strength")
    for word in WEAK:
        seen = zxcvbn(word, user_inputs=["ada"])
        table.add_row(word, str(seen["score"]), seen["feedback"]["warning"] or "-")
    Console(width=100, color_system=None).print(table)
    hashed = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(rounds=5))
    print("bcrypt", bcrypt.checkpw(b"open sesame", hashed), bcrypt.checkpw(b"close", hashed), bcrypt.kdf(b"pw", b"salt", 16, 50, ignore_few_rounds=True).hex())
    for name in ("eff-long", "ger-anlx", "spa-mich"):
        words = xkcd_password.generate_wordlist(wordfile=xkcd_password.locate_wordfile(name), min_length=5, max_length=8)
        phrase = xkcd_password.generate_xkcdpassword(words, numwords=5, delimiter="-", acrostic=None, case="lower")
        print("phrase", name, len(words), phrase.count("-") >= 4)
    shares = Shamir.split(2, 3, b"sixteen bytes!!!")
    print("shares", Shamir.combine(shares[1:]).decode(), AES.new(b"k" * 16, AES.MODE_GCM, nonce=b"n" * 12).encrypt(b"gcm").hex())


def main():
    commands = {"vault": vault, "tokens": tokens, "authority": authority, "strength": strength}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", nargs="*", choices=[*commands, []], help="what to show")
    chosen = parser.parse_args().command or list(commands)
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            commands[name](Path(folder))
    print("OK", dt.date(2024, 1, 1).isoformat(), len(chosen), "commands")


if __name__ == "__main__":
    main()
