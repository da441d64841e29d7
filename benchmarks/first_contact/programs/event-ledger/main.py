"""Books a day of banking events on a Kafka cluster (librdkafka's mock brokers): Avro, JSON Schema, Protobuf and CloudEvents."""
import asyncio
import datetime as dt
import sqlite3
from collections import Counter

import orjson
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Consumer, DeserializingConsumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.aio import AIOProducer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError, StringDeserializer, StringSerializer
from google.type.money_pb2 import Money

from ledger.events import Booking, Kind, transfer_schema

START = dt.datetime(2024, 5, 17, 8, tzinfo=dt.timezone.utc)
FRAMED = {"auto.register.schemas": True}


def bookings() -> list[Booking]:
    return [
        Booking(account=f"ACC{i % 4:03d}", kind=Kind.DEPOSIT if i % 3 else Kind.WITHDRAWAL, cents=100 + i * 7, booked_at=START + dt.timedelta(minutes=i), tags=["atm"] * (i % 2))
        for i in range(40)
    ]


def publish(producer: Producer, registry: SchemaRegistryClient) -> tuple[Counter, str]:
    delivered: Counter = Counter()

    def on_delivery(error: object, message: Message) -> None:
        assert error is None, error
        delivered[message.topic()] += 1

    key = StringSerializer("utf_8")
    avro = AvroSerializer(registry, orjson.dumps(Booking.avro_schema_to_python()).decode(), lambda booking, ctx: booking.asdict(), FRAMED)
    transfers = JSONSerializer(transfer_schema(registry), registry, conf=FRAMED)
    money = ProtobufSerializer(Money, registry, FRAMED | {"use.deprecated.format": False})
    for booking in bookings():
        context = SerializationContext("bookings", MessageField.VALUE)
        producer.produce("bookings", key=key(booking.account), value=avro(booking, context), on_delivery=on_delivery)
    party = {"name": "Ada", "iban": "GB33BUKB20201555555555"}
    for number in range(10):
        value = {"number": number, "payer": party, "payee": party | {"name": "Bohr"}, "cents": 1000 + number}
        producer.produce("transfers", key=key(str(number)), value=transfers(value, SerializationContext("transfers", MessageField.VALUE)), on_delivery=on_delivery)
    for units in range(5):
        value = money(Money(currency_code="DKK", units=units, nanos=500_000_000), SerializationContext("rates", MessageField.VALUE))
        producer.produce("rates", value=value, on_delivery=on_delivery)
    for number in range(6):
        event = CloudEvent({"id": str(number), "source": "/bank", "type": "com.example.closing", "time": START, "datacontenttype": "application/json", "partitionkey": f"k{number}"}, {"day": number})
        message: KafkaMessage = (to_binary_event if number % 2 else to_structured_event)(event)
        producer.produce("closings", key=message.key, value=message.value, headers=list(message.headers.items()), on_delivery=on_delivery)
    assert producer.flush(15) == 0
    try:
        transfers({"number": 1, "payer": {"name": "X", "iban": "?"}, "payee": party, "cents": 5}, SerializationContext("transfers", MessageField.VALUE))
    except SerializationError as error:
        return delivered, str(error).splitlines()[0]
    raise SystemExit("an invalid transfer was accepted")


def consume(settings: dict, topic: str, count: int, value_deserializer: object = None) -> list[Message]:
    extra = {"key.deserializer": StringDeserializer("utf_8"), "value.deserializer": value_deserializer} if value_deserializer else {}
    consumer = (DeserializingConsumer if extra else Consumer)(settings | extra)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in consumer.list_topics(topic, timeout=10).topics[topic].partitions])
    messages = []
    while len(messages) < count:
        message = consumer.poll(10)
        assert message is not None and message.error() is None, (topic, len(messages))
        messages.append(message)
    consumer.close()
    return messages


async def audit(servers: str) -> int:
    producer = AIOProducer({"bootstrap.servers": servers, "linger.ms": 5})
    futures = [await producer.produce("audit", value=orjson.dumps({"step": step}), key=b"audit") for step in range(8)]
    await producer.flush()
    messages = await asyncio.gather(*futures)
    await producer.close()
    return sum(orjson.loads(message.value())["step"] for message in messages)


def main() -> None:
    registry = SchemaRegistryClient.new_client({"url": "mock://ledger"})
    producer = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 3, "enable.idempotence": True, "compression.type": "zstd", "linger.ms": 5, "log_level": 2})
    cluster = producer.list_topics(timeout=10)
    servers = ",".join(f"{broker.host}:{broker.port}" for broker in cluster.brokers.values())
    delivered, refusal = publish(producer, registry)
    print("delivered:", dict(sorted(delivered.items())))
    print("refused:", refusal)

    settings = {"bootstrap.servers": servers, "group.id": "ledger", "auto.offset.reset": "earliest", "enable.auto.commit": False, "log_level": 2}
    read_booking = AvroDeserializer(registry, from_dict=lambda value, ctx: Booking.parse_obj(value))
    balances: Counter = Counter()
    with sqlite3.connect(":memory:") as database:
        database.execute("create table line (account text, kind text, cents int, at text)")
        for message in consume(settings, "bookings", 40, read_booking):
            booking = message.value()
            assert message.key() == booking.account
            database.execute("insert into line values (?, ?, ?, ?)", (booking.account, booking.kind.value, booking.cents, booking.booked_at.isoformat()))
        for account, balance in database.execute("select account, sum(case kind when 'DEPOSIT' then cents else -cents end) from line group by 1"):
            balances[account] = balance
    print("balances:", dict(sorted(balances.items())))
    moved = sum(message.value()["cents"] for message in consume(settings, "transfers", 10, JSONDeserializer(transfer_schema(registry), schema_registry_client=registry)))
    rates = [message.value() for message in consume(settings, "rates", 5, ProtobufDeserializer(Money, {"use.deprecated.format": False}))]
    paid = sum(rate.units + rate.nanos / 1e9 for rate in rates)
    closings = [from_kafka_event(KafkaMessage(dict(m.headers()), m.key(), m.value())) for m in consume(settings, "closings", 6)]
    days = sorted(event.get_data()["day"] for event in closings)
    audited = asyncio.run(audit(servers))
    topics = sorted(AdminClient({"bootstrap.servers": servers, "log_level": 2}).list_topics(timeout=10).topics)
    subjects = sorted(registry.get_subjects())
    print("subjects:", subjects, "topics:", topics)
    print(f"OK {sum(delivered.values())} delivered on {len(cluster.brokers)} brokers, balance {sum(balances.values())}, moved {moved}, paid {paid}, days {sum(days)}, audit {audited}, {len(topics)} topics, {len(subjects)} subjects")


if __name__ == "__main__":
    main()
