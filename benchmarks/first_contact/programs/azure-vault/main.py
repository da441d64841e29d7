"""A client of Azure, offline: a credential made of a certificate, secrets of a Key Vault and blobs, over a transport of its own; settings by Pydantic, a token signed and read again, retries counted."""
import base64
import datetime
import io
import json
import time

from azure.core.credentials import AccessToken
from azure.core.exceptions import ResourceNotFoundError
from azure.core.pipeline.transport import HttpResponse, HttpTransport
from azure.core.utils import case_insensitive_dict
from azure.identity import CertificateCredential, ChainedTokenCredential, CredentialUnavailableError, EnvironmentCredential
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, generate_blob_sas
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    vault: str = "https://shop.vault.azure.net"
    account: str = "shop"
    key: str = base64.b64encode(b"0" * 64).decode()


class Answer(HttpResponse):
    def __init__(self, request, status, body, headers):
        super().__init__(request, None)
        self.status_code, self.reason, self.headers, self._body = status, "said", case_insensitive_dict(headers), body
        self.content_type = headers.get("Content-Type", "application/json")

    def body(self):
        return self._body

    def json(self):
        return json.loads(self._body)

    def stream_download(self, pipeline, **kwargs):
        return iter([self._body])


class Offline(HttpTransport):
    def __init__(self):
        self.blobs, self.calls = {}, []

    def open(self): ...
    def close(self): ...
    def __exit__(self, *_): ...

    def __enter__(self):
        return self

    def sleep(self, seconds): ...

    def send(self, request, **kwargs):
        self.calls.append(request.method)
        if "vault" in request.url:
            if "Authorization" not in request.headers:
                said = 'Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"'
                return Answer(request, 401, b"{}", {"WWW-Authenticate": said})
            if "lost" in request.url:
                return Answer(request, 404, json.dumps({"error": {"code": "SecretNotFound"}}).encode(), {"Content-Type": "application/json"})
            if len(self.calls) == 2:
                return Answer(request, 503, b"{}", {"Retry-After": "0"})
            body = {"value": "open sesame", "id": request.url.split("?")[0] + "/v1", "attributes": {"enabled": True, "created": 1700000000}}
            return Answer(request, 200, json.dumps(body).encode(), {"Content-Type": "application/json"})
        date = "Mon, 30 Nov 2026 10:00:00 GMT"
        if request.method == "PUT":
            data = request.data if request.data is not None else request.body
            self.blobs[request.url.split("?")[0]] = data.read() if hasattr(data, "read") else data
            return Answer(request, 201, b"", {"ETag": '"1"', "Last-Modified": date})
        if "comp=list" in request.url:
            rows = "".join(f"<Blob><Name>{u.rpartition('/')[2]}</Name><Properties><Content-Length>{len(b)}</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>" for u, b in self.blobs.items())
            body = f'<?xml version="1.0"?><EnumerationResults ContainerName="c"><Blobs>{rows}</Blobs><NextMarker/></EnumerationResults>'
            return Answer(request, 200, body.encode(), {"Content-Type": "application/xml"})
        raise AssertionError(request.url)


class Fixed:
    def get_token(self, *scopes, **kwargs):
        return AccessToken("token", int(time.time()) + 3600)


def certificate():
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop")])
    now = datetime.datetime(2026, 1, 1)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    made = made.not_valid_before(now).not_valid_after(now + datetime.timedelta(900)).sign(key, hashes.SHA256())
    plain = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return plain + made.public_bytes(serialization.Encoding.PEM)


def main():
    settings = Settings()
    own = CertificateCredential("11111111-2222-3333-4444-555555555555", "app", certificate_data=certificate())
    try:
        ChainedTokenCredential(EnvironmentCredential()).get_token("x/.default")
    except Exception as error:
        unavailable = isinstance(error, CredentialUnavailableError) or type(error).__name__
    transport = Offline()
    secrets = SecretClient(settings.vault, Fixed(), transport=transport)
    secret = secrets.get_secret("door")
    try:
        secrets.get_secret("lost")
    except ResourceNotFoundError as error:
        lost = error.status_code
    service = BlobServiceClient(f"https://{settings.account}.blob.core.windows.net", credential=settings.key, transport=transport)
    container = service.get_container_client("c")
    container.upload_blob("a.txt", io.BytesIO(b"hello"), length=5, overwrite=True)
    listed = [(b.name, b.size) for b in container.list_blobs()]
    until = datetime.datetime(2027, 1, 1)
    token = generate_blob_sas(settings.account, "c", "a.txt", account_key=settings.key, permission=BlobSasPermissions(read=True), expiry=until)
    print("OK", secret.value, secret.properties.created_on.year, lost, listed, "sig=" in token, unavailable, type(own).__name__, transport.calls.count("GET"))


main()
