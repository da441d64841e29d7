"""An office of keys: OpenPGP certificates by Sequoia, signed and encrypted letters, an OpenID provider's tokens by Authlib, an OAuth client against a WSGI server, ACME messages by josepy, hashes, a QR code."""
import datetime
import io

import josepy
import qrcode
import qrcode.image.svg
from acme import challenges, crypto_util, messages
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.jose import JsonWebEncryption, JsonWebKey, JsonWebToken
from authlib.jose.errors import ExpiredTokenError
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pysequoia import Cert, decrypt, encrypt, sign, verify
import httpx


def letters():
    ada, bob = Cert.generate("Ada <ada@example.org>"), Cert.generate("Bob <bob@example.org>")
    signed = sign(ada.secrets.signer(), b"a letter")
    checked = verify(bytes=signed, store=lambda ids: [ada])
    secret = encrypt(signer=ada.secrets.signer(), recipients=[bob], bytes=b"only for Bob").decode()
    plain = decrypt(bytes=secret.encode(), decryptor=bob.secrets.decryptor(), store=lambda ids: [ada])
    return bytes(checked.bytes), bytes(plain.bytes), secret.splitlines()[0], len(ada.fingerprint)


def tokens():
    key = JsonWebKey.generate_key("EC", "P-256", {"kid": "1"}, is_private=True)
    jwt = JsonWebToken(["ES256", "EdDSA"])
    token = jwt.encode({"alg": "ES256", "kid": "1"}, {"iss": "office", "sub": "ada", "exp": 100}, key)
    claims = jwt.decode(token, JsonWebKey.import_key_set({"keys": [key.as_dict(is_private=False)]}).find_by_kid("1"))
    try:
        claims.validate(now=200)
    except ExpiredTokenError as error:
        wrong = error.error
    jwe = JsonWebEncryption()
    packed = jwe.serialize_compact({"alg": "ECDH-ES+A128KW", "enc": "A256GCM", "zip": "DEF"}, b"hidden", key)
    return claims["sub"], wrong, jwe.deserialize_compact(packed, key)["payload"]


def client():
    def app(request):
        if request.url.path == "/token":
            return httpx.Response(200, json={"access_token": "t", "token_type": "bearer", "expires_in": 3600})
        return httpx.Response(200, json={"said": request.headers["authorization"]})

    with OAuth2Client("me", "secret", token_endpoint="https://office/token", transport=httpx.MockTransport(app)) as session:
        url, state = session.create_authorization_url("https://office/authorize", code_verifier="v" * 48)
        session.fetch_token(grant_type="client_credentials")
        return "state=" in url, session.get("https://office/me").json()["said"]


def acme():
    account = josepy.JWKRSA(key=josepy.ComparableRSAKey(rsa.generate_private_key(65537, 2048)))
    challenge = challenges.HTTP01(token=b"x" * 16)
    answer = challenge.response(account)
    body = messages.NewOrder(identifiers=[messages.Identifier(typ=messages.IDENTIFIER_FQDN, value="example.org")])
    key = ec.generate_private_key(ec.SECP256R1())
    from cryptography.hazmat.primitives import serialization

    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    request = crypto_util.make_csr(pem, ["example.org"])
    jws = josepy.JWS.sign(body.json_dumps().encode(), key=account, alg=josepy.RS256)
    return answer.key_authorization.count("."), body.to_partial_json()["identifiers"][0].to_partial_json()["type"], b"REQUEST" in request, jws.verify()


def main():
    hasher = PasswordHasher(time_cost=1, memory_cost=1024)
    kept = hasher.hash("secret")
    try:
        hasher.verify(kept, "other")
    except VerifyMismatchError:
        refused = True
    out = io.BytesIO()
    qrcode.make("otpauth://totp/office", image_factory=qrcode.image.svg.SvgPathImage).save(out)
    print("OK", letters(), tokens(), client(), acme(), refused, b"<svg" in out.getvalue(), datetime.date(2026, 1, 1).year)


main()
