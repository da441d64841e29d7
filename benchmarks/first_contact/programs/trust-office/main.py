"""A trust office: Sigstore's bundled trust roots, a certificate chain, JOSE tokens, WebAuthn options and a registration made by hand."""
import datetime
import hashlib
import json
import os

import cbor2
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store
from joserfc import jwe, jws
from joserfc.jwk import ECKey, OctKey
from sigstore.models import ClientTrustConfig, TrustedRoot
from webauthn import base64url_to_bytes, generate_registration_options, options_to_json, verify_registration_response
from webauthn.helpers import bytes_to_base64url


def chain():
    now = datetime.datetime(2026, 1, 1)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])

    def base(subject, public):
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(ca_name).public_key(public).serial_number(x509.random_serial_number())
                .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=90))
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False))
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    ca = (base(ca_name, ca_key.public_key()).add_extension(x509.BasicConstraints(True, None), True).add_extension(usage, True)
          .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), False).sign(ca_key, hashes.SHA256()))
    leaf = (base(x509.Name([]), key.public_key()).add_extension(x509.SubjectAlternativeName([x509.DNSName("a.example.org")]), True)
            .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), False).sign(ca_key, hashes.SHA256()))
    verifier = PolicyBuilder().store(Store([ca])).time(now + datetime.timedelta(days=1)).build_server_verifier(x509.DNSName("a.example.org"))
    return len(verifier.verify(leaf, []))


def passkey():
    opts = generate_registration_options(rp_id="example.org", rp_name="Example", user_name="ann", challenge=b"c" * 32)
    key = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    cose = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: key.x.to_bytes(32, "big"), -3: key.y.to_bytes(32, "big")})
    cred = os.urandom(16)
    auth = hashlib.sha256(b"example.org").digest() + bytes([0x45]) + bytes(4) + bytes(16) + len(cred).to_bytes(2, "big") + cred + cose
    client = json.dumps({"type": "webauthn.create", "challenge": bytes_to_base64url(opts.challenge), "origin": "https://example.org"}).encode()
    att = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": auth})
    reply = {"id": bytes_to_base64url(cred), "rawId": bytes_to_base64url(cred), "type": "public-key",
             "response": {"clientDataJSON": bytes_to_base64url(client), "attestationObject": bytes_to_base64url(att)}}
    v = verify_registration_response(credential=reply, expected_challenge=opts.challenge, expected_rp_id="example.org", expected_origin="https://example.org")
    return str(getattr(v.fmt, "value", v.fmt)), base64url_to_bytes(json.loads(options_to_json(opts))["challenge"]) == opts.challenge


def main():
    root = ClientTrustConfig.production(offline=True).trusted_root if hasattr(ClientTrustConfig, "production") else TrustedRoot.production(offline=True)
    cas = len(root.get_fulcio_certs())
    k = ECKey.generate_key("P-256")
    token = jwt.encode({"sub": "ann"}, k.as_pem(private=True), algorithm="ES256", headers={"kid": k.thumbprint()})
    signed = jws.deserialize_compact(token, k).payload
    secret = OctKey.generate_key(256)
    sealed = jwe.encrypt_compact({"alg": "A256KW", "enc": "A256GCM"}, b"sealed", secret)
    pub = serialization.load_pem_public_key(k.as_pem(private=False))
    print("OK", cas > 0, chain(), json.loads(signed)["sub"], jwe.decrypt_compact(sealed, secret).plaintext, pub.curve.name, passkey())


if __name__ == "__main__":
    main()
