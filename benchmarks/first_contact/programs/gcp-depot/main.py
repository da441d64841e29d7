"""The depot's nightly job on Google Cloud: prices to storage, events, documents and a query; run against local stand-ins."""
import datetime as dt
import io
import os
import threading

import google_crc32c
import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.cloud import bigquery, firestore, pubsub_v1, secretmanager, storage
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import SecretManagerServiceGrpcTransport
from google.oauth2 import service_account
from pydantic import BaseModel, TypeAdapter

from grpc_fake import GrpcFake
from rest_fake import RestFake

PROJECT = "depot-7"
SECRET = f"projects/{PROJECT}/secrets/feed/versions/latest"


class Price(BaseModel):
    sku: str
    price: float


def service_identity(rest: RestFake) -> service_account.Credentials:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "depot")])
    start = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=1)
    certificate = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7).not_valid_before(start).not_valid_after(start + dt.timedelta(days=9)).sign(key, hashes.SHA256())
    rest.certificate = certificate.public_bytes(serialization.Encoding.PEM)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    info = {"type": "service_account", "project_id": PROJECT, "private_key_id": "k1", "private_key": pem.decode(), "client_email": f"depot@{PROJECT}.iam.gserviceaccount.com", "token_uri": f"{rest.url}/token"}
    return service_account.Credentials.from_service_account_info(info, scopes=["https://www.googleapis.com/auth/cloud-platform"])


def store(rest: RestFake, credentials: service_account.Credentials, prices: list[Price]) -> tuple[list[str], int, str]:
    client = storage.Client(project=PROJECT, credentials=credentials, client_options={"api_endpoint": rest.url})
    bucket = client.create_bucket("depot-prices", location="EU")
    feed = bucket.blob("feeds/today.json")
    feed.metadata = {"lines": str(len(prices))}
    feed.upload_from_string(TypeAdapter(list[Price]).dump_json(prices), content_type="application/json", checksum="crc32c")
    big = bucket.blob("feeds/archive.bin", chunk_size=256 * 1024)
    big.upload_from_file(io.BytesIO(bytes(range(256)) * 3000), size=768_000, checksum="crc32c")
    names = [blob.name for blob in client.list_blobs(bucket, prefix="feeds/")]
    data = bucket.blob("feeds/today.json").download_as_bytes(checksum="crc32c")
    assert TypeAdapter(list[Price]).validate_json(data) == prices
    url = feed.generate_signed_url(version="v4", expiration=dt.timedelta(hours=1), method="GET")
    return names, len(rest.objects["depot-prices", "feeds/archive.bin"][1]), url.split("X-Goog-Algorithm=")[1].split("&")[0]


def announce(fake: GrpcFake, prices: list[Price]) -> tuple[float, int]:
    publisher = pubsub_v1.PublisherClient(batch_settings=pubsub_v1.types.BatchSettings(max_messages=5, max_latency=0.05))
    subscriber = pubsub_v1.SubscriberClient()
    topic, subscription = publisher.topic_path(PROJECT, "prices"), subscriber.subscription_path(PROJECT, "till")
    publisher.create_topic(name=topic)
    subscriber.create_subscription(name=subscription, topic=topic)
    received, complete = [], threading.Event()

    def on_message(message: pubsub_v1.subscriber.message.Message) -> None:
        received.append(float(message.data) * int(message.attributes["factor"]))
        message.ack_with_response().result(timeout=10)
        if len(received) == len(prices):
            complete.set()

    flow = pubsub_v1.types.FlowControl(max_messages=10)
    with subscriber:
        pulling = subscriber.subscribe(subscription, callback=on_message, flow_control=flow)
        published = [publisher.publish(topic, str(price.price).encode(), factor="2") for price in prices]
        identifiers = {future.result(timeout=10) for future in published}
        assert complete.wait(15), len(received)
        pulling.cancel()
        pulling.result(timeout=10)
    publisher.stop()
    return sum(received), len(identifiers)


def file_documents(prices: list[Price]) -> tuple[dict, bool]:
    client = firestore.Client(project=PROJECT)
    shelves = client.collection("shelves")
    batch = client.batch()
    for price in prices:
        batch.set(shelves.document(price.sku), {"price": price.price, "tags": ["new"], "place": firestore.GeoPoint(52.5, 13.4), "since": dt.datetime(2024, 5, 1, tzinfo=dt.timezone.utc)})
    batch.commit()
    found = shelves.document("A-4").get()
    return found.to_dict(), shelves.document("none").get().exists


def ask(rest: RestFake, credentials: service_account.Credentials, prices: list[Price]) -> list[tuple]:
    client = bigquery.Client(project=PROJECT, credentials=credentials, client_options={"api_endpoint": rest.url})
    assert client.insert_rows_json(f"{PROJECT}.shop.prices", [price.model_dump() for price in prices]) == []
    parameters = [bigquery.ScalarQueryParameter("limit", "FLOAT64", 12.0)]
    sql = "select substr(sku, 1, 1) as family, sum(price) as total, '2024-05-17' as at from prices where price > @limit group by 1 order by 1"
    rows = client.query_and_wait(sql, job_config=bigquery.QueryJobConfig(query_parameters=parameters))
    return [(row.family, row["total"], row.at.isoformat()) for row in rows]


def main() -> None:
    rest, fake = RestFake(), GrpcFake({SECRET: b"open sesame"})
    os.environ.update(PUBSUB_EMULATOR_HOST=fake.address, FIRESTORE_EMULATOR_HOST=fake.address)
    credentials = service_identity(rest)
    prices = [Price(sku=f"{'AB'[i % 2]}-{i}", price=i * 1.25) for i in range(1, 21)]

    secrets = secretmanager.SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=grpc.insecure_channel(fake.address)))
    secret = secrets.access_secret_version(name=SECRET).payload
    assert google_crc32c.value(secret.data) == secret.data_crc32c
    names, size, algorithm = store(rest, credentials, prices)
    print("storage:", names, size, algorithm)
    total, count = announce(fake, prices)
    print("pubsub:", total, count, len(fake.acknowledged))
    document, exists = file_documents(prices)
    print("firestore:", document["price"], document["place"].latitude, document["since"].isoformat(), exists)
    rows = ask(rest, credentials, prices)
    print("bigquery:", rows)
    fake.server.stop(0)
    rest.server.shutdown()
    print(
        f"OK secret {secret.data.decode()}, {len(names)} objects {size} {algorithm}, pubsub {total} {count} {len(fake.acknowledged)}, "
        f"shelf {document['price']} {exists}, rows {rows[0][1]} {rows[1][1]} {rows[0][2]}, {rest.tokens} tokens"
    )


if __name__ == "__main__":
    main()
