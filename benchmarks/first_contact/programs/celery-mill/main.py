"""A mill of background jobs: Celery with the in-memory broker, a worker in a thread, Pydantic arguments, an orjson serializer, chords."""
import logging

import orjson
import pendulum
from celery import Celery, chain, chord, group
from celery.contrib.testing.worker import start_worker
from celery.schedules import crontab
from kombu.serialization import register
from pydantic import BaseModel, Field

register("orjson", orjson.dumps, orjson.loads, content_type="application/x-orjson", content_encoding="utf-8")
app = Celery("mill", broker="memory://", backend="cache+memory://")
app.conf.update(
    task_serializer="orjson", result_serializer="orjson", accept_content=["orjson", "json"], timezone="Europe/Berlin",
    beat_schedule={"nightly": {"task": "mill.grind", "schedule": crontab(hour=3, minute=0), "args": (1,)}},
    task_routes={"mill.*": {"queue": "celery"}}, worker_hijack_root_logger=False,
)


class Sack(BaseModel):
    grain: str
    kilos: float = Field(gt=0)


class Flour(BaseModel):
    grain: str
    kilos: float


@app.task(name="mill.grind", pydantic=True)
def grind(sack: Sack) -> Flour:
    return Flour(grain=sack.grain, kilos=round(sack.kilos * 0.8, 2))


@app.task(name="mill.total")
def total(parts):
    return round(sum(p["kilos"] for p in parts), 2)


@app.task(name="mill.label")
def label(kilos, day):
    return f"{kilos} kg, {pendulum.parse(day).format('dddd D MMMM YYYY', locale='fr')}"


@app.task(name="mill.flaky", bind=True, max_retries=2)
def flaky(self):
    if self.request.retries < 1:
        raise self.retry(countdown=0)
    return self.request.retries


def main():
    logging.disable(logging.WARNING)
    sacks = [{"grain": "rye", "kilos": 10}, {"grain": "wheat", "kilos": 20.5}, {"grain": "oat", "kilos": 1}]
    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="ERROR", shutdown_timeout=20):
        parts = group(grind.s(s) for s in sacks).apply_async().get(timeout=20)
        again = flaky.delay().get(timeout=20)
        text = chain(total.s(parts), label.s("2026-03-01")).apply_async().get(timeout=20)
        try:
            grind.delay({"grain": "x", "kilos": -1}).get(timeout=20)
            bad = "none"
        except Exception as e:
            bad = type(e).__name__
    eager = chord((grind.s(s) for s in sacks[:1]), total.s()).tasks[0].task
    due = app.conf.beat_schedule["nightly"]["schedule"].hour
    print("OK", [p["kilos"] for p in parts], text, again, bad, eager, due)


if __name__ == "__main__":
    main()
