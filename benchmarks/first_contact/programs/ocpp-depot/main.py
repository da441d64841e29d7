"""A charging depot: an OCPP 1.6 central system and a charge point talk over a websocket, messages checked by their schemas, an orjson journal."""
import asyncio
from datetime import datetime, timezone

import orjson
import structlog
import websockets
from ocpp.exceptions import FormatViolationError
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action, RegistrationStatus
from pydantic import BaseModel

LINES = []
structlog.configure(
    processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer(serializer=lambda d, **k: orjson.dumps(d, option=orjson.OPT_SORT_KEYS).decode())],
    logger_factory=lambda *a: type("L", (), {"msg": staticmethod(LINES.append), "info": staticmethod(LINES.append), "warning": staticmethod(LINES.append)})(),
)
log = structlog.get_logger()


class Session(BaseModel):
    id: int
    tag: str
    start: int
    stop: int | None = None

    @property
    def wh(self):
        return (self.stop or self.start) - self.start


class Depot(ChargePoint):
    sessions: dict[int, Session] = {}

    @on(Action.boot_notification)
    def on_boot(self, charge_point_vendor, charge_point_model, **rest):
        log.info("boot", vendor=charge_point_vendor, model=charge_point_model)
        return call_result.BootNotification(current_time=datetime(2026, 1, 1, tzinfo=timezone.utc).isoformat(), interval=10, status=RegistrationStatus.accepted)

    @on(Action.start_transaction)
    def on_start(self, connector_id, id_tag, meter_start, timestamp, **rest):
        n = len(self.sessions) + 1
        self.sessions[n] = Session(id=n, tag=id_tag, start=meter_start)
        log.info("start", tag=id_tag)
        return call_result.StartTransaction(transaction_id=n, id_tag_info={"status": "Accepted"})

    @on(Action.stop_transaction)
    def on_stop(self, meter_stop, timestamp, transaction_id, **rest):
        self.sessions[transaction_id].stop = meter_stop
        log.warning("stop", wh=self.sessions[transaction_id].wh)
        return call_result.StopTransaction(id_tag_info={"status": "Accepted"})


async def main():
    async def serve(socket):
        try:
            await Depot("CP1", socket).start()
        except websockets.ConnectionClosed:
            pass

    async with websockets.serve(serve, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:
        port = server.sockets[0].getsockname()[1]
        async with websockets.connect(f"ws://127.0.0.1:{port}/CP1", subprotocols=["ocpp1.6"]) as socket:
            point = ChargePoint("CP1", socket)
            task = asyncio.create_task(point.start())
            boot = await point.call(call.BootNotification(charge_point_vendor="acme", charge_point_model="m1"))
            now = "2026-01-01T00:00:00Z"
            begun = await point.call(call.StartTransaction(connector_id=1, id_tag="tag7", meter_start=100, timestamp=now))
            await point.call(call.StopTransaction(meter_stop=4100, timestamp=now, transaction_id=begun.transaction_id))
            try:
                await point.call(call.BootNotification(charge_point_vendor="x" * 90, charge_point_model="m"))
                refused = False
            except FormatViolationError:
                refused = True
            except Exception as e:
                refused = type(e).__name__
            task.cancel()
    assert refused, refused
    rows = [orjson.loads(n) for n in LINES]
    assert [r["event"] for r in rows] == ["boot", "start", "stop"], rows
    print("OK", boot.status, Depot.sessions[1].wh, refused, rows[-1]["level"])


asyncio.run(main())
