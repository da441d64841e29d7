"""Traces of a service: Logfire with spans, messages made of f-strings, a Pydantic model watched, SQLite and HTTPX instrumented, logs of the standard library and of Loguru, everything kept in memory and read back."""
import logging
import sqlite3

import httpx
import logfire
from loguru import logger
from opentelemetry import baggage, context, metrics, propagate
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel, ValidationError


def main():
    exporter = InMemorySpanExporter()
    reader = InMemoryMetricReader()
    logfire.configure(
        send_to_logfire=False, console=False, service_name="desk",
        additional_span_processors=[SimpleSpanProcessor(exporter)], metrics=logfire.MetricsOptions(additional_readers=[reader]),
    )
    logfire.instrument_pydantic(record="all")
    logfire.instrument_sqlite3()
    logfire.instrument_httpx(capture_headers=True)

    class Order(BaseModel):
        key: int
        cents: int

    @logfire.instrument("priced {cents=}")
    def price(cents):
        return cents * 2

    logging.basicConfig(handlers=[logfire.LogfireLoggingHandler()], force=True)
    logger.remove()
    logger.add(**logfire.loguru_handler())
    count = logfire.metric_counter("orders")
    with logfire.span("day {name}", name="monday") as span:
        who = "Ada"
        logfire.info(f"hello {who}")
        Order(key=1, cents=5)
        try:
            Order.model_validate({"key": "x", "cents": 1})
        except ValidationError as error:
            wrong = error.error_count()
        with sqlite3.connect(":memory:") as db:
            db.execute("create table t (a int)")
        with httpx.Client(transport=httpx.MockTransport(lambda r: httpx.Response(200, json={"to": r.headers.get("traceparent", "")[:2]}))) as web:
            said = web.get("https://desk/x").json()
        doubled = price(21)
        logging.getLogger("old").warning("from %s", "logging")
        logger.bind(a=1).info("from loguru {x}", x=3)
        count.add(2, {"kind": "a"})
        span.set_attribute("done", True)
        carrier = {}
        propagate.inject(carrier, context=baggage.set_baggage("who", "ada", context.get_current()))
    logfire.force_flush()
    names = [s.name for s in exporter.get_finished_spans()]
    messages = sorted({s.attributes.get("logfire.msg", "") for s in exporter.get_finished_spans()})
    got = [m.name for r in reader.get_metrics_data().resource_metrics for s in r.scope_metrics for m in s.metrics]
    print("OK", len(names) > 6, messages, wrong, said, doubled, "orders" in got, sorted(carrier), metrics.get_meter("x") is not None)


main()
