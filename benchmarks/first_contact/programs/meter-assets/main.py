"""Meter readings as Dagster assets and jobs: partitions, checks, retries, resources, a schedule and a sensor, with alerts to a chat (a local stand-in)."""
import logging
import os
import tempfile
import threading
import warnings
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")

import dagster as dg
import orjson
import polars as pl
import yaml
from cronsim import CronSim
from datetime import datetime, timedelta
from pydantic import Field
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import DividerBlock, SectionBlock

for category in (dg.BetaWarning, dg.PreviewWarning):
    warnings.filterwarnings("ignore", category=category)
import assets  # noqa: E402
from assets import DAYS  # noqa: E402

HERE = Path(__file__).resolve().parent
POSTED = []


class Chat(BaseHTTPRequestHandler):
    """The part of the chat's interface that is used."""

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body = orjson.loads(raw) if "json" in self.headers["Content-Type"] else {k: v[0] for k, v in parse_qs(raw.decode()).items()}
        known = body.get("channel") == "#meters"
        if known:
            POSTED.append(body["text"])
        answer = orjson.dumps({"ok": True, "ts": str(len(POSTED))} if known else {"ok": False, "error": "channel_not_found"})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


class ChatResource(dg.ConfigurableResource):
    url: str
    channel: str = Field(default="#general", pattern="^#")

    def post(self, text):
        client = WebClient(token="xoxb-local", base_url=self.url)
        return client.chat_postMessage(channel=self.channel, text=text, blocks=[SectionBlock(text=text), DividerBlock()])["ts"]


class Limits(dg.Config):
    limit: float


TRIES = []


@dg.op(out=dg.DynamicOut(str))
def list_meters():
    for name in ("M0", "M1", "M2"):
        yield dg.DynamicOutput(name, mapping_key=name)


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2, delay=0.01))
def score_meters(context: dg.OpExecutionContext, config: Limits, name: str) -> float:
    TRIES.append(name)
    if name == "M1" and TRIES.count("M1") == 1:
        raise dg.RetryRequested(max_retries=1, seconds_to_wait=0.01)
    return min(config.limit, int(name[1]) * 12.5)


@dg.op
def announce(context: dg.OpExecutionContext, chat: ChatResource, scores: list[float]) -> str:
    return chat.post(f"scores {sorted(scores)}")


@dg.op(required_resource_keys={"chat"})
def complain(context):
    raise dg.Failure("the head-end is silent", metadata={"line": 7})


@dg.failure_hook(required_resource_keys={"chat"})
def tell(context: dg.HookContext):
    context.resources.chat.post(f"{context.op.name} failed: {context.op_exception.description}")


@dg.job
def scoring():
    announce(list_meters().map(score_meters).collect())


@dg.job(hooks={tell})
def failing():
    complain()


nightly = dg.define_asset_job("nightly", selection=dg.AssetSelection.groups("intake", "clean"))


@dg.schedule(cron_schedule="30 2 * * *", job=nightly, execution_timezone="Europe/Zurich")
def at_night(context: dg.ScheduleEvaluationContext):
    day = (context.scheduled_execution_time - timedelta(days=1)).strftime("%Y-%m-%d")
    return dg.RunRequest(run_key=day, partition_key=day, tags={"day": day})


@dg.sensor(job=scoring, minimum_interval_seconds=60)
def inbox(context: dg.SensorEvaluationContext):
    seen = int(context.cursor or 0)
    if seen >= 2:
        return dg.SkipReason("nothing new")
    context.update_cursor(str(seen + 1))
    return dg.RunRequest(run_key=f"file-{seen}")


def quiet():
    for name in ("dagster", "dagster.builtin"):
        logging.getLogger(name).handlers.clear()
    logging.disable(logging.CRITICAL)


def main():
    quiet()
    server = HTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/api/"
    config = yaml.safe_load((HERE / "config.yaml").read_text())
    chat = ChatResource(url=url, channel=config["resources"]["chat"]["config"]["channel"])
    definitions = dg.Definitions(assets=dg.load_assets_from_modules([assets]), asset_checks=[assets.no_outliers], jobs=[scoring, failing, nightly],
                                 schedules=[at_night], sensors=[inbox], resources={"chat": chat, "io_manager": dg.mem_io_manager})
    dg.Definitions.validate_loadable(definitions)
    with tempfile.TemporaryDirectory() as folder, dg.instance_for_test(temp_dir=folder) as instance:
        store = dg.FilesystemIOManager(base_dir=str(Path(folder) / "store"))
        parts = [assets.readings, assets.cleaned, assets.daily, assets.no_outliers]
        for day in DAYS.get_partition_keys():
            done = dg.materialize(parts, partition_key=day, instance=instance, resources={"io_manager": store})
            assert done.success and all(c.passed for c in done.get_asset_check_evaluations())
        last = dg.materialize([assets.summary, *parts], selection=[assets.summary], instance=instance, resources={"io_manager": store})
        totals: pl.DataFrame = last.output_for_node("summary", "totals")
        print(totals.write_csv(float_precision=1).replace("\n", " "))
        print(last.output_for_node("summary", "ranking")["meter"].to_list(), len(instance.get_materialized_partitions(dg.AssetKey("daily"))))
        scored = definitions.resolve_job_def("scoring").execute_in_process(run_config={"ops": config["ops"]}, instance=instance)
        print(scored.success, TRIES, scored.output_for_node("announce"))
        failed = definitions.resolve_job_def("failing").execute_in_process(instance=instance, raise_on_error=False)
        print(failed.success, [e.event_type_value for e in failed.all_events if "FAIL" in e.event_type_value], len(instance.get_runs()))
        schedule = at_night.evaluate_tick(dg.build_schedule_context(instance=instance, repository_def=definitions.get_repository_def(), scheduled_execution_time=datetime(2024, 3, 2, 2, 30)))
        print([r.run_key for r in schedule.run_requests], next(CronSim(at_night.cron_schedule, datetime(2024, 3, 2))).isoformat())
        cursors = []
        for cursor in (None, "1", "2"):
            context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=definitions.get_repository_def())
            tick = inbox.evaluate_tick(context)
            cursors.append((tick.cursor, len(tick.run_requests), tick.skip_message))
        print(cursors)
    try:
        definitions.resolve_job_def("scoring").execute_in_process(run_config={"ops": {"score_meters": {"config": {"limit": "high"}}}})
    except dg.DagsterInvalidConfigError as exc:
        print("rejected", len(exc.errors))
    try:
        ChatResource(url=url, channel="#nowhere").post("lost")
    except SlackApiError as exc:
        print("chat", exc.response["error"])
    server.shutdown()
    print("OK", POSTED)


if __name__ == "__main__":
    main()
