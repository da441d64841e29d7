"""Builds the data mart of a shop: seeds, models in SQL and Python, tests, a snapshot, docs and a parquet export."""
import json
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import duckdb
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt_common.events.base_types import EventMsg
from dbt_extractor import py_extract_from_source

PROJECT = Path(__file__).parent / "project"
NOTES: list[str] = []


def listen(event: EventMsg) -> None:
    if event.info.name in ("JinjaLogInfo", "RunningOperationCaughtError"):
        NOTES.append(event.info.msg.strip())


def call(runner: dbtRunner, *arguments: str) -> dbtRunnerResult:
    result = runner.invoke([*arguments, "--quiet", "--log-level", "warn"])
    if not result.success:
        raise SystemExit(f"dbt {arguments[0]} failed: {result.exception or [r.message for r in result.result if r.status not in ('success', 'pass')]}")
    return result


def static_references() -> list[str]:
    """What the models refer to, without running Jinja."""
    extracted = py_extract_from_source((PROJECT / "models" / "staging" / "stg_orders.sql").read_text())
    return [reference["name"] for reference in extracted["refs"]]


def main() -> None:
    references = static_references()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name) / "mart"
        shutil.copytree(PROJECT, work)
        database, export = Path(name) / "mart.duckdb", Path(name) / "revenue.parquet"
        os.environ.update(MART_DATABASE=str(database), MART_EXPORT=str(export), DBT_PROJECT_DIR=str(work), DBT_PROFILES_DIR=str(work))

        runner = dbtRunner(callbacks=[listen])
        first = call(runner, "build", "--full-refresh")
        kinds = Counter(f"{result.node.resource_type.value}" for result in first.result)
        print("built:", dict(sorted(kinds.items())))
        second = call(runner, "run", "--select", "monthly+", "tag:python")
        statuses = Counter(result.status.value for result in second.result)
        print("again:", dict(statuses))
        call(runner, "docs", "generate")
        catalog = json.loads((work / "target" / "catalog.json").read_text())
        manifest = json.loads((work / "target" / "manifest.json").read_text())
        listed = sorted(key.split(".")[-1] for key in manifest["parent_map"]["model.mart.revenue"])
        print("parents of revenue:", listed)
        page = (work / "target" / "index.html").stat().st_size

        with duckdb.connect(str(database)) as connection:
            gold = connection.sql("select string_agg(customer_id::varchar, ',' order by customer_id) from segments where segment = 'gold'").fetchall()[0][0]
            months = connection.sql("select count(*) from monthly").fetchall()[0][0]
            history = connection.sql("select count(*) from customers_history where dbt_valid_to is null").fetchall()[0][0]
        rows = duckdb.read_parquet(str(export)).project("country, orders, gross").fetchall()
        for row in rows:
            print("revenue:", *row)
        described = manifest["nodes"]["model.mart.revenue"]["description"]
        assert page > 500_000 and described.endswith("EUR") and set(NOTES) == {"orders: 60"}, (page, described, NOTES)
    total = sum(row[2] for row in rows)
    print(
        f"OK {sum(kinds.values())} nodes built ({kinds['test']} tests, {kinds['unit_test']} unit), {sum(statuses.values())} again, "
        f"{len(catalog['nodes'])} in the catalog, {len(listed)} parents, {months} months, gold {gold}, history {history}, "
        f"gross {total}, refs {'+'.join(references)}"
    )


if __name__ == "__main__":
    main()
