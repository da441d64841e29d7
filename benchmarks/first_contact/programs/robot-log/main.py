"""Commissioning check of a robot cell: field buses, the zenoh bus between the machines, and the flight recorder."""
import asyncio
import json
import socket
import tempfile
import threading
from pathlib import Path

import zenoh
from foxglove.mcap import MCAPCompression

from cell.canbus import configure_drive, record_frames
from cell.plc import exchange
from cell.recorder import record, summarize
from cell.settings import Settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def peer(port: int, listen: bool) -> zenoh.Config:
    config = zenoh.Config()
    config.insert_json5("mode", json.dumps("peer" if listen else "client"))
    config.insert_json5("scouting/multicast/enabled", "false")
    config.insert_json5("listen/endpoints" if listen else "connect/endpoints", json.dumps([f"tcp/127.0.0.1:{port}"]))
    return config


def talk(prefix: str, poses: dict) -> tuple[int, str, str]:
    """Two zenoh sessions: telemetry by publish and subscribe, calibration by query and reply."""
    port = free_port()
    received, complete = [], threading.Event()

    def on_sample(sample: zenoh.Sample) -> None:
        received.append((str(sample.key_expr), json.loads(sample.payload.to_string()), str(sample.encoding)))
        if len(received) == 30:
            complete.set()

    def on_query(query: zenoh.Query) -> None:
        gain = int(query.parameters["gain"]) * 2
        query.reply(query.key_expr, json.dumps({"gain": gain}), encoding=zenoh.Encoding.APPLICATION_JSON)

    with zenoh.open(peer(port, True)) as station, zenoh.open(peer(port, False)) as robot:
        with station.declare_subscriber(f"{prefix}/*/state", on_sample), station.declare_queryable(f"{prefix}/calibration", on_query):
            publishers = {arm: robot.declare_publisher(f"{prefix}/{arm}/state", encoding=zenoh.Encoding.APPLICATION_JSON) for arm in ("left", "right")}
            reply = next(iter(robot.get(f"{prefix}/calibration?gain=21", timeout=10.0)))
            answer = json.loads(reply.ok.payload.to_bytes())
            for step in range(15):
                for arm, publisher in publishers.items():
                    publisher.put(json.dumps({"step": step, "reach": poses["reach"]}))
            assert complete.wait(10), len(received)
    left = sum(value["step"] for key, value, _ in received if zenoh.KeyExpr(f"{prefix}/left/**").includes(key))
    return left, received[0][2], str(answer["gain"])


def main() -> None:
    settings = Settings()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = record_frames(settings.can.channel, folder)
        print("can:", frames)
        drive = configure_drive(settings.can.channel + "-open", settings.can.node_id)
        print("drive:", drive)
        registers, temperature, status = asyncio.run(exchange(free_port(), settings.plc.recipe))
        print("plc:", registers, temperature, status)
        reports = []
        for compression in (MCAPCompression.Zstd, MCAPCompression.Lz4):
            path = folder / f"{compression}.mcap".replace(" ", "")
            record(path, compression)
            reports.append(summarize(path))
        assert reports[0] == reports[1], reports
        print("mcap:", reports[0])
        left, encoding, gain = talk(settings.bus.prefix, reports[0])
        print("zenoh:", left, encoding, gain)
    print(
        f"OK {len(frames)} can logs x {frames['blf']} moves, drive {drive[0]} {drive[1]} {drive[2]}, plc {sum(registers)} "
        f"{temperature} {status}, mcap {reports[0]['messages']}/{reports[0]['channels']} {reports[0]['reach']}, zenoh {left} {gain} {encoding}"
    )


if __name__ == "__main__":
    main()
