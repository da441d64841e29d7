"""Who may do what: tokens signed with an RSA key, checked by BlackSheep's JWT handler."""
import time

import jwt
from blacksheep.server.authentication.jwt import JWTBearerAuthentication
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from guardpost.jwks import JWKS, KeysProvider

ISSUER = "https://id.example"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


class LocalKeys(KeysProvider):
    async def get_keys(self) -> JWKS:
        return JWKS.from_dict({"keys": [{**jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "k1", "use": "sig"}]})


def token(sub):
    claims = {"aud": "parcels", "iss": ISSUER, "sub": sub, "exp": int(time.time()) + 60}
    return jwt.encode(claims, PEM, "RS256", headers={"kid": "k1"})


def handler():
    return JWTBearerAuthentication(valid_audiences=["parcels"], valid_issuers=[ISSUER], keys_provider=LocalKeys(), algorithms=["RS256"])
