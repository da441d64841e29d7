"""Jobs: actors of Dramatiq on a stub broker with retries and a pipeline, rows in SQLite by Peewee, a schedule of APScheduler whose triggers and stores are named, logs by structlog in JSON."""
import logging
import tempfile
from pathlib import Path

import dramatiq
import orjson
import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from dramatiq.brokers.stub import StubBroker
from dramatiq.results import Results
from dramatiq.results.backends import StubBackend
from peewee import CharField, IntegerField, Model, SqliteDatabase
from playhouse.migrate import SqliteMigrator, migrate
from pydantic_settings import BaseSettings

broker = StubBroker()
broker.add_middleware(Results(backend=StubBackend()))
dramatiq.set_broker(broker)
db = SqliteDatabase(None)
lines = []
structlog.configure(
    processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer(serializer=lambda d, **k: orjson.dumps(d).decode())],
    logger_factory=lambda *a: type("Log", (), {n: staticmethod(lines.append) for n in ("info", "warning")})(),
)
log = structlog.get_logger()


class Settings(BaseSettings):
    retries: int = 2


class Job(Model):
    name = CharField(unique=True)
    tries = IntegerField(default=0)

    class Meta:
        database = db


@dramatiq.actor(max_retries=Settings().retries, min_backoff=1, store_results=True)
def work(n):
    Job.update(tries=Job.tries + 1).where(Job.name == "one").execute()
    if Job.get(name="one").tries < 2:
        raise ValueError("once more")
    return n * 2


@dramatiq.actor(store_results=True)
def double(n):
    return n * 2


def tick():
    log.info("tick")


def main():
    logging.disable(logging.CRITICAL)
    d = Path(tempfile.mkdtemp())
    db.init(str(d / "jobs.db"))
    db.create_tables([Job])
    Job.create(name="one")
    migrate(SqliteMigrator(db).add_column("job", "note", CharField(default="")))
    worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=1)
    worker.start()
    message = work.send(4)
    pipe = (double.message(3) | double.message()).run()
    got = message.get_result(block=True, timeout=10000), pipe.get_result(block=True, timeout=10000)
    broker.join("default")
    worker.stop()
    scheduler = BackgroundScheduler({"apscheduler.jobstores.default": {"type": "sqlalchemy", "url": f"sqlite:///{d}/s.db"}, "apscheduler.executors.default": {"type": "threadpool", "max_workers": 2}, "apscheduler.timezone": "UTC"})
    job = scheduler.add_job(tick, "cron", day_of_week="mon-fri", hour=4, id="night")
    scheduler.add_job(tick, "interval", seconds=30, id="often")
    scheduler.start()
    names = sorted(j.id for j in scheduler.get_jobs())
    trigger = str(job.trigger)
    scheduler.shutdown()
    tick()
    print("OK", got, Job.get(name="one").tries, [c.name for c in db.get_columns("job")], names, trigger, orjson.loads(lines[-1])["event"])


if __name__ == "__main__":
    main()
