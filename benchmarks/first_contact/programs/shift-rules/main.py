"""Plans and pays shifts: Luigi runs the steps, ZEN and rule-engine decide, Hamilton computes, huey and schedule queue."""
import csv
import datetime as dt
import json
import logging
import tempfile
from pathlib import Path

import luigi
import rule_engine
import schedule
import zen
from croniter import croniter
from hamilton import driver
from hamilton.lifecycle import NodeExecutionHook
from huey import SqliteHuey, crontab
from huey.exceptions import TaskException
from luigi.contrib.external_program import ExternalProgramTask
from luigi.util import inherits
from pydantic import BaseModel, Field, ValidationError, field_validator

import wages

logging.disable(logging.CRITICAL)
RULES = json.loads((Path(__file__).resolve().parent / "rules.json").read_text())


class Shift(BaseModel):
    person: str
    day: str
    hours: float = Field(gt=0, le=12)
    skills: list[str] = []

    @field_validator("day")
    @classmethod
    def known(cls, value):
        if value not in {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}:
            raise ValueError("no such day")
        return value


ROWS = [("ada", "mon", 8, "crane"), ("ada", "sun", 6, "crane;radio"), ("bo", "sat", 7, ""), ("bo", "tue", 10, "radio"), ("cy", "wed", 8, "crane"), ("cy", "xyz", 8, ""), ("cy", "fri", 14, "")]


class Settings(luigi.Config):
    folder = luigi.Parameter()
    week = luigi.DateParameter(default=dt.date(2024, 3, 4))


class Roster(luigi.Task):
    week = luigi.DateParameter()

    def output(self):
        return luigi.LocalTarget(str(Path(Settings().folder) / f"roster-{self.week:%Y%W}.csv"))

    def run(self):
        with self.output().open("w") as out:
            csv.writer(out).writerows(ROWS)


@inherits(Roster)
class Decide(luigi.Task):
    region = luigi.ChoiceParameter(choices=["north", "south"], default="north")

    def requires(self):
        return self.clone(Roster)

    def output(self):
        return {"ok": luigi.LocalTarget(str(Path(Settings().folder) / f"ok-{self.region}.json"), format=luigi.format.UTF8),
                "bad": luigi.LocalTarget(str(Path(Settings().folder) / f"bad-{self.region}.json"))}

    def run(self):
        decision = zen.ZenEngine({"loader": lambda key: RULES}).get_decision("pay")
        good, bad = [], []
        with self.input().open() as source:
            for person, day, hours, skills in csv.reader(source):
                try:
                    shift = Shift(person=person, day=day, hours=hours, skills=skills.split(";"))
                except ValidationError as error:
                    bad.append([person, error.errors()[0]["type"]])
                    continue
                result = decision.evaluate({"shift": shift.model_dump()})["result"]
                good.append(shift.model_dump() | {"factor": result["factor"], "tag": result["tag"], "day_pay": result["pay"]})
        for name, what in (("ok", good), ("bad", bad)):
            with self.output()[name].open("w") as out:
                json.dump(what, out)


class Pay(luigi.WrapperTask):
    week = luigi.DateParameter()

    def requires(self):
        return [Decide(week=self.week, region=r) for r in ("north", "south")]


class Broken(luigi.Task):
    def complete(self):
        return False

    def run(self):
        raise RuntimeError("roster office is closed")


class Watch(NodeExecutionHook):
    seen = 0

    def run_before_node_execution(self, **_):
        Watch.seen += 1

    def run_after_node_execution(self, **_):
        pass


def pay(shifts, region):
    dataflow = driver.Builder().with_modules(wages).with_config({"region": region}).with_adapters(Watch()).build()
    out = dataflow.execute(["per_person"], inputs={"shifts": shifts, "rate": 20.0})
    owners = sorted(v.name for v in dataflow.list_available_variables() if v.tags.get("owner") == "payroll")
    return out["per_person"].to_dict(), owners


def rules(shifts):
    context = rule_engine.Context(type_resolver=rule_engine.type_resolver_from_dict(
        {"person": rule_engine.DataType.STRING, "hours": rule_engine.DataType.FLOAT, "tag": rule_engine.DataType.STRING, "skills": rule_engine.DataType.ARRAY(rule_engine.DataType.STRING)}))
    for text in ('hours >= 8 and tag != "SUNDAY"', '"radio" in skills', 'person =~ "^[ab]" and hours * 2 > 15'):
        print("rule", text, [s["person"] for s in rule_engine.Rule(text, context=context).filter(shifts)])
    try:
        rule_engine.Rule("salary > 3", context=context)
    except rule_engine.SymbolResolutionError as error:
        print("rule refused", error.symbol_name)
    print("zen", zen.evaluate_expression("sum(map(a, # * 2))", {"a": [1, 2, 3]}), zen.evaluate_unary_expression("[1..5]", {"$": 4}))


def queue(folder):
    huey = SqliteHuey("letters", filename=str(Path(folder) / "queue.db"), results=True)

    @huey.task(retries=1)
    def letter(person, amount):
        if amount < 0:
            raise ValueError("negative pay")
        return f"{person}: {amount:.2f}"

    @huey.periodic_task(crontab(minute="0", hour="6"))
    def morning():
        return "morning"

    first, second = letter("ada", 12.5), letter.s("bo", -1)
    second = huey.enqueue(second)
    print("queued", len(huey), huey.get("nothing"), sorted(t.name for t in huey._registry.periodic_tasks))
    while (task := huey.dequeue()) is not None:
        huey.execute(task)
    print("letter", first.get())
    try:
        second.get()
    except TaskException as error:
        print("letter failed", error.metadata["error"])


def timetable():
    plan = schedule.Scheduler()
    ran = []
    plan.every(10).seconds.do(ran.append, "sweep").tag("daily")
    plan.every().monday.at("06:30").do(ran.append, "roster").tag("weekly", "office")
    plan.every(2).to(5).hours.do(ran.append, "poll")
    plan.run_all()
    plan.clear("weekly")
    start = dt.datetime(2024, 2, 28, 5, 0)
    times = croniter("30 6 * * mon,fri", start)
    print("plan", sorted(ran), len(plan.jobs), [times.get_next(dt.datetime).strftime("%a %d %H:%M") for _ in range(3)], croniter.is_valid("61 * * * *"))


def main():
    with tempfile.TemporaryDirectory() as folder:
        luigi.configuration.get_config().set("Settings", "folder", folder)
        week = luigi.date_interval.Week.parse("2024-W10").dates()[0]
        done = luigi.build([Pay(week=week)], local_scheduler=True, detailed_summary=True, log_level="CRITICAL")
        print("luigi", done.status.name, Pay(week=week).complete(), issubclass(ExternalProgramTask, luigi.Task))
        print("luigi", luigi.build([Broken()], local_scheduler=True, detailed_summary=True, log_level="CRITICAL").status.name)
        cli = luigi.run(["Decide", "--week", "2024-03-04", "--region", "south", "--local-scheduler"], detailed_summary=True)
        print("luigi", cli.status.name)
        shifts = json.loads((Path(folder) / "ok-north.json").read_text())
        print("bad", json.loads((Path(folder) / "bad-north.json").read_text()))
        print("tags", [(s["person"], s["tag"], s["day_pay"]) for s in shifts])
        for region in ("north", "south"):
            print("pay", region, *pay(shifts, region))
        print("nodes", Watch.seen)
        rules(shifts)
        queue(folder)
    timetable()
    print("OK shifts", len(shifts))


if __name__ == "__main__":
    main()
