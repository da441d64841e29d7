"""A night shift: APScheduler with triggers and stores by name, jobs kept as textual references in SQLite, Pendulum for calendars, a report."""
import logging
import tempfile
import threading
from pathlib import Path

import pendulum
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED
from apscheduler.schedulers.background import BackgroundScheduler
from croniter import croniter
from pydantic import BaseModel, ConfigDict, field_validator
from pydantic_extra_types.pendulum_dt import DateTime, Duration

done = threading.Event()
ran: list[str] = []


class Shift(BaseModel):
    model_config = ConfigDict(frozen=True)
    name: str
    start: DateTime
    length: Duration

    @field_validator("start")
    @classmethod
    def not_on_sunday(cls, v):
        if v.day_of_week == pendulum.SUNDAY:
            raise ValueError("closed on Sundays")
        return v

    @property
    def end(self):
        return self.start + self.length


def tick(name):
    ran.append(name)
    if len(ran) >= 3:
        done.set()


def fail():
    raise RuntimeError("lamp out")


def main():
    logging.disable(logging.ERROR)
    seen = []
    with tempfile.TemporaryDirectory() as t:
        s = BackgroundScheduler({
            "apscheduler.jobstores.default": {"type": "sqlalchemy", "url": f"sqlite:///{Path(t) / 'jobs.db'}"},
            "apscheduler.jobstores.mem": {"type": "memory"},
            "apscheduler.executors.default": {"class": "apscheduler.executors.pool:ThreadPoolExecutor", "max_workers": "2"},
            "apscheduler.executors.proc": {"type": "threadpool", "max_workers": 1},
            "apscheduler.job_defaults.coalesce": "false",
            "apscheduler.timezone": "Europe/Vienna",
        })
        s.add_listener(lambda e: seen.append(type(e.exception).__name__ if e.exception else "ok"), EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
        s.add_job(tick, "interval", seconds=0.2, args=["watch"], id="w")
        s.add_job(fail, "date", jobstore="mem", executor="proc")
        s.add_job("math:sqrt", "cron", hour="3", minute="*/15", args=[4], id="sqrt")
        s.start()
        assert done.wait(8)
        nxt = pendulum.instance(s.get_job("sqrt").next_run_time)
        refs = sorted(j.func_ref for j in s.get_jobs())
        s.remove_all_jobs()
        s.shutdown()
    shift = Shift.model_validate({"name": "late", "start": "2026-03-28T22:00:00+01:00", "length": "PT8H30M"})
    local = shift.start.in_timezone("Europe/Vienna")
    try:
        Shift.model_validate({"name": "x", "start": "2026-03-29T22:00:00+02:00", "length": "PT1H"})
        closed = False
    except ValueError as e:
        closed = "closed on Sundays" in str(e)
    end = local + shift.length
    cron = croniter("0 6 * * mon-fri", pendulum.datetime(2026, 1, 1, tz="Europe/Vienna"))
    days = [pendulum.from_timestamp(cron.get_next(float), tz="Europe/Vienna").format("ddd D.M.", locale="de") for _ in range(2)]
    print("OK", ran[0], nxt.hour, refs[-1], sorted(set(seen)), end.format("HH:mm zz"), local.diff_for_humans(end, locale="it"), closed, days)


if __name__ == "__main__":
    main()
