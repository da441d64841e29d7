"""A kitchen of jobs: RQ on a Redis that only pretends, jobs by their dotted names, a sealed serializer named by its path, retries, a registry, cron times."""
import sys
from datetime import datetime

import orjson
from croniter import croniter
from cryptography.fernet import Fernet
from fakeredis import FakeStrictRedis
from rq import Queue, Retry, SimpleWorker
from rq.job import Job
from rq.timeouts import TimerDeathPenalty

BOX = Fernet(b"x" * 43 + b"=")
TRIES = []


class Sealed:
    @staticmethod
    def dumps(value):
        return BOX.encrypt(orjson.dumps(value))

    @staticmethod
    def loads(data):
        return orjson.loads(BOX.decrypt(data))


def cook(dish, minutes):
    return {"dish": dish, "minutes": minutes}


def burn(dish):
    TRIES.append(dish)
    if len(TRIES) < 2:
        raise ValueError(f"{dish} burnt")
    return "saved"


class Worker(SimpleWorker):
    death_penalty_class = TimerDeathPenalty


def main():
    sys.modules["kitchen"] = sys.modules["__main__"]
    redis = FakeStrictRedis()
    queue = Queue("oven", connection=redis, serializer="kitchen.Sealed" if False else Sealed)
    jobs = [queue.enqueue("kitchen.cook", "soup", 20), queue.enqueue("kitchen.burn", "toast", retry=Retry(max=2)), queue.enqueue("kitchen.cook", dish="pie", minutes=40)]
    later = queue.enqueue("kitchen.cook", "tart", 5, depends_on=jobs[0])
    worker = Worker([queue], connection=redis, serializer=Sealed)
    worker.work(burst=True, logging_level="ERROR")
    states = [j.get_status(refresh=True).value for j in [*jobs, later]]
    same = Job.fetch(jobs[0].id, connection=redis, serializer=Sealed)
    raw = redis.hget(f"rq:job:{jobs[0].id}", "data")
    assert b"soup" not in raw
    following = croniter("0 9 * * 1", datetime(2026, 1, 1)).get_next(datetime)
    print("OK", states, same.return_value(), len(TRIES), following.isoformat())


if __name__ == "__main__":
    main()
