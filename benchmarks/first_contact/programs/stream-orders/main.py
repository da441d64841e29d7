"""Order events on FastStream: NATS and Kafka brokers replaced by the in-memory test brokers, an AsyncAPI document, settings."""
import asyncio
import json
import logging
from datetime import datetime, timezone
from decimal import Decimal

import orjson
from faststream import Context, Depends, FastStream, Logger
from faststream.kafka import KafkaBroker, TestKafkaBroker
from faststream.nats import NatsBroker, TestNatsBroker
from faststream.specification import AsyncAPI
from pydantic import BaseModel, Field, PositiveInt
from pydantic_settings import BaseSettings


class Settings(BaseSettings, env_prefix="ORDERS_"):
    vat: Decimal = Decimal("0.19")
    nats: str = "nats://localhost:4222"


class Order(BaseModel):
    id: PositiveInt
    price: Decimal = Field(decimal_places=2)
    at: datetime


class Invoice(BaseModel):
    order: int
    total: Decimal


settings = Settings()
nats = NatsBroker(settings.nats)
kafka = KafkaBroker("localhost:9092")
app = FastStream(nats, specification=AsyncAPI(title="Orders", version="1"))
booked: list[Invoice] = []


def rate() -> Decimal:
    return 1 + settings.vat


@nats.subscriber("orders.*", queue="billing")
@nats.publisher("invoices")
async def bill(order: Order, logger: Logger, factor: Decimal = Depends(rate)) -> Invoice:
    logger.info("order %s", order.id)
    return Invoice(order=order.id, total=(order.price * factor).quantize(Decimal("0.01")))


@nats.subscriber("invoices")
async def book(invoice: Invoice, subject: str = Context("message.raw_message.subject")):
    booked.append(invoice)
    await kafka.publish({"subject": subject, "total": str(invoice.total)}, topic="ledger", key=b"k")


@kafka.subscriber("ledger", group_id="g")
async def ledger(body: dict):
    return body


async def run():
    logging.getLogger("faststream").setLevel(logging.ERROR)
    async with TestKafkaBroker(kafka), TestNatsBroker(nats):
        for i in (1, 2):
            await nats.publish(Order(id=i, price=Decimal("10.50") * i, at=datetime(2026, 1, i, tzinfo=timezone.utc)), subject=f"orders.{i}")
        bill.mock.assert_called()
        seen = [c.args[0] for c in ledger.mock.call_args_list]
        try:
            await nats.publish({"id": -1}, subject="orders.x")
            bad = False
        except Exception as e:
            bad = type(e).__name__
    return seen, bad


def main():
    seen, bad = asyncio.run(run())
    doc = json.loads(app.schema.to_specification().to_json()) if hasattr(app.schema, "to_specification") else json.loads(app.schema.to_json())
    names = sorted(doc["components"]["schemas"])
    print("OK", orjson.dumps(seen).decode(), [str(b.total) for b in booked], bad, names[:3], doc["asyncapi"])


if __name__ == "__main__":
    main()
