"""The live part: scale readings folded per silo, in windows of an hour."""
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.dataflow import Dataflow
from bytewax.operators.windowing import EventClock, TumblingWindower
from bytewax.testing import TestingSink, TestingSource


@dataclass
class Load:
    silo: str
    at: datetime
    tonnes: float


@dataclass
class Fill:
    level: float = 0.0
    alarms: int = 0


def parse(row: dict) -> Load | None:
    if row["tonnes"] <= 0:
        return None
    return Load(row["silo"], row["arrived"].replace(tzinfo=timezone.utc), row["tonnes"])


def fill(state: Fill | None, load: Load):
    state = state or Fill()
    state.level += load.tonnes
    if state.level > 300:
        state.alarms += 1
        state.level = 0.0
    return state, (load.tonnes, state.alarms)


def build(rows: list[dict], hourly: list, alarms: list, limit: int = 10) -> Dataflow:
    flow = Dataflow("silo_scales")
    source = op.input("rows", flow, TestingSource(rows, batch_size=limit))
    loads = op.filter_map("parse", source, parse)
    keyed = op.key_on("by_silo", loads, lambda x: x.silo)
    clock = EventClock(ts_getter=lambda x: x.at, wait_for_system_duration=timedelta(days=30))
    windower = TumblingWindower(align_to=datetime(2024, 7, 1, tzinfo=timezone.utc), length=timedelta(hours=24))
    days = win.fold_window("daily", keyed, clock, windower, lambda: (0, 0.0),
                           lambda acc, x: (acc[0] + 1, acc[1] + x.tonnes), lambda a, b: (a[0] + b[0], a[1] + b[1]))
    op.output("daily_out", days.down, TestingSink(hourly))
    filled = op.stateful_map("fill", keyed, fill)
    branches = op.branch("alarm?", filled, lambda kv: kv[1][1] > 0)
    counted = op.count_final("count", branches.trues, lambda kv: kv[0])
    op.output("alarm_out", counted, TestingSink(alarms))
    op.inspect("quiet", op.filter("none", branches.falses, lambda _: False))
    return flow
