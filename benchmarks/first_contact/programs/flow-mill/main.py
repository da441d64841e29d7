"""flow-mill: scheduled flows with retries, caching and artifacts on a local API."""
import asyncio
import datetime as dt
import logging
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent


def configure(home):
    """Everything that Prefect writes belongs into the scratch folder."""
    os.environ.update(
        PREFECT_HOME=str(home),
        PREFECT_PROFILES_PATH=str(home / "profiles.toml"),
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        PREFECT_LOGGING_LEVEL="CRITICAL",
        PREFECT_LOGGING_SERVER_LEVEL="CRITICAL",
        PREFECT_LOCAL_STORAGE_PATH=str(home / "storage"),
        PREFECT_SERVER_EPHEMERAL_ENABLED="true",
        DO_NOT_TRACK="1",
    )


async def ask(client):
    """What the API knows after the runs."""
    from prefect.client.schemas.filters import FlowFilter, FlowRunFilter, LogFilter
    from prefect.client.schemas.sorting import FlowRunSort

    runs = await client.read_flow_runs(
        flow_filter=FlowFilter(name={"any_": ["night-mill", "strict-mill"]}),
        sort=FlowRunSort.START_TIME_ASC,
    )
    print("flow runs:", dict(sorted(Counter(r.state.name for r in runs).items())))
    tasks = await client.read_task_runs(flow_run_filter=FlowRunFilter(
        id={"any_": [r.id for r in runs]}))
    kinds = Counter((t.task_key.split("-")[0], t.state.name) for t in tasks)
    for (name, state), number in sorted(kinds.items()):
        print(f"   {name}: {state} x{number}")
    print("retried:", max(t.run_count for t in tasks))
    logs = await client.read_logs(LogFilter(level={"ge_": logging.CRITICAL}))
    print("critical logs:", len(logs))
    artifacts = await client.read_artifacts()
    print("artifacts:", dict(sorted(Counter(f"{a.key}/{a.type}" for a in artifacts if a.key).items())))
    limit = await client.create_concurrency_limit(tag="intake", concurrency_limit=2)
    again = await client.read_concurrency_limit_by_tag("intake")
    print("limit kept:", limit == again.id, again.concurrency_limit)
    return runs


async def deploy(client, flow):
    """Register deployments with three kinds of schedules."""
    from prefect.client.schemas.schedules import (
        CronSchedule,
        IntervalSchedule,
        RRuleSchedule,
    )

    start = dt.datetime(2030, 1, 1, tzinfo=dt.timezone.utc)
    schedules = {
        "cron": CronSchedule(cron="15 2 * * 1-5", timezone="Europe/Berlin"),
        "interval": IntervalSchedule(interval=dt.timedelta(hours=6), anchor_date=start),
        "rrule": RRuleSchedule(rrule="DTSTART:20300101T000000Z\nRRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=12"),
    }
    from prefect.server.schemas import schedules as server_schedules

    flow_id = await client.create_flow(flow)
    for name, schedule in schedules.items():
        await client.create_deployment(
            flow_id=flow_id, name=name, entrypoint="millwork/flows.py:night_mill",
            path=str(HERE), tags=[name, "mill"], parameters={"settings_name": "demo"},
            parameter_openapi_schema={"type": "object", "properties": {}},
        )
        model = getattr(server_schedules, type(schedule).__name__)
        dates = await model(**schedule.model_dump()).get_dates(3, start=start)
        print(f"{name}: " + ", ".join(d.strftime("%m-%d %H:%M") for d in dates))
    found = await client.read_deployments()
    run = await client.create_flow_run_from_deployment(
        next(d.id for d in found if d.name == "cron"), parameters={"minimum": 120}
    )
    print("queued:", run.state.name, run.parameters["minimum"], sorted(run.tags))
    return len(found)


def automation():
    """Compose an automation without sending it."""
    from prefect.automations import Automation
    from prefect.events.actions import CancelFlowRun
    from prefect.events.schemas.automations import EventTrigger, Posture

    rule = Automation(
        name="stop a mill that failed",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Failed"}, posture=Posture.Reactive, threshold=2,
            within=dt.timedelta(minutes=10),
            match={"prefect.resource.id": "prefect.flow-run.*"},
        ),
        actions=[CancelFlowRun()],
    )
    created = rule.create()
    print("automation:", created.name, created.trigger.threshold, created.actions[0].type)
    created.delete()


def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        configure(Path(name))
        from prefect.client.orchestration import get_client
        from prefect.exceptions import ParameterTypeError
        from prefect.testing.utilities import prefect_test_harness
        from prefect.utilities.dispatch import get_registry_for_type
        from prefect.blocks.core import Block
        from prefect.variables import Variable

        from millwork import flows
        from millwork.blocks import MillSettings

        with prefect_test_harness(server_startup_timeout=50):
            MillSettings(site="north", loss_percent=12.5, token="hush").save("demo")
            Variable.set("season", {"year": 2024, "lots": [1, 2]})
            print("variable:", Variable.get("season"))
            loaded = MillSettings.load("demo")
            print("block:", loaded.site, loaded.token, len(get_registry_for_type(Block)) > 5)
            totals = flows.night_mill("demo")
            print("totals:", totals)
            cold = flows.CALLS["grind"]
            state = flows.strict_mill("demo", return_state=True)
            print("strict:", state.type.value, state.message)
            print("ground:", cold, "then", flows.CALLS["grind"])
            try:
                flows.night_mill("demo", minimum="lots")
            except ParameterTypeError as exc:
                print("refused:", type(exc).__name__)
            automation()

            async def questions():
                async with get_client() as client:
                    return await ask(client), await deploy(client, flows.night_mill)

            runs, deployed = asyncio.run(questions())
    assert totals == {"wheat": 315.0, "rye": 341.25} or sum(totals.values()) > 0
    assert flows.CALLS["grind"] == cold
    print(f"OK {len(runs)} runs, {deployed} deployments")
    return 0


if __name__ == "__main__":
    sys.exit(main())
