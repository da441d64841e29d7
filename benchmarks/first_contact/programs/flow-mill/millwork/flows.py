from prefect import flow, get_run_logger, task, unmapped
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import INPUTS
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

from millwork.blocks import MillSettings

CALLS = {"fetch": 0, "grind": 0}


@task(retries=3, retry_delay_seconds=exponential_backoff(backoff_factor=0.01), tags=["intake"])
def fetch(site: str) -> list[dict]:
    CALLS["fetch"] += 1
    if CALLS["fetch"] < 3:
        raise ConnectionError("silo does not answer")
    return [{"lot": n, "kind": "rye" if n % 2 else "wheat", "kg": 100.0 + 10 * n} for n in range(6)]


@task(cache_policy=INPUTS, persist_result=True, task_run_name="grind-{lot[lot]}")
def grind(lot: dict, loss: float) -> dict:
    CALLS["grind"] += 1
    return {**lot, "flour": round(lot["kg"] * (100 - loss) / 100, 2)}


@task(log_prints=True)
def summary(lots: list[dict]) -> dict:
    totals: dict = {}
    for lot in lots:
        totals[lot["kind"]] = round(totals.get(lot["kind"], 0) + lot["flour"], 2)
    print(f"{len(lots)} lots summed")
    return totals


@task
def maybe(totals: dict):
    if sum(totals.values()) > 1000:
        return Failed(message="too much flour")
    return Completed(message="within limits", data=totals)


@flow(name="night-mill", task_runner=ThreadPoolTaskRunner(max_workers=2), validate_parameters=True)
def night_mill(settings_name: str, minimum: int = 100) -> dict:
    logger = get_run_logger()
    settings = MillSettings.load(settings_name)
    logger.info("milling at %s", settings.site)
    lots = [lot for lot in fetch(settings.site) if lot["kg"] >= minimum]
    ground = grind.map(lots, loss=unmapped(settings.loss_percent)).result()
    totals = summary(ground)
    create_table_artifact(key="lots", table=ground, description="ground lots")
    create_markdown_artifact(key="totals", markdown="\n".join(
        f"* {kind}: {kg} kg" for kind, kg in sorted(totals.items())))
    return totals


@flow(name="strict-mill")
def strict_mill(settings_name: str):
    totals = night_mill(settings_name)
    state = maybe(totals, return_state=True)
    return state
