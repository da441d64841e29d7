import time
from pathlib import Path

import can
import canopen
import cantools

HERE = Path(__file__).parent


def record_frames(channel: str, folder: Path) -> dict[str, int]:
    """Send joint states over a virtual bus and log what arrives in several formats."""
    database = cantools.database.load_file(HERE / "line.dbc")
    joint = database.get_message_by_name("Joint")
    logs = [folder / f"trace.{ending}" for ending in ("asc", "blf", "csv", "log", "db", "trc")]
    with can.Bus(interface="virtual", channel=channel) as sender, can.Bus(interface="virtual", channel=channel) as receiver:
        loggers = [can.Logger(path) for path in logs]
        notifier = can.Notifier(receiver, loggers)
        for step in range(20):
            state = {"Angle": step * 4.5 - 45, "Torque": step / 2, "Mode": "MOVE" if step % 5 else "HOLD", "Temperature": 20 + step}
            sender.send(can.Message(arbitration_id=joint.frame_id, data=joint.encode(state), is_extended_id=False, timestamp=step / 10))
        time.sleep(0.6)
        notifier.stop()
    counts = {}
    for path in logs:
        reader = can.LogReader(path)
        frames = list(reader)
        decoded = [database.decode_message(frame.arbitration_id, frame.data) for frame in frames]
        assert sum(d["Angle"] for d in decoded) == -45.0, path
        counts[path.suffix[1:]] = sum(1 for d in decoded if str(d["Mode"]) == "MOVE")
    return counts


def configure_drive(channel: str, node_id: int) -> tuple[str, int, str]:
    """A CANopen master and a servo drive (its EDS file) talk by SDO and NMT."""
    master, slave = canopen.Network(), canopen.Network()
    master.connect(interface="virtual", channel=channel)
    slave.connect(interface="virtual", channel=channel)
    drive = slave.create_node(node_id, str(HERE / "drive.eds"))
    remote = master.add_node(node_id, str(HERE / "drive.eds"))
    name = remote.sdo["Manufacturer device name"].raw
    remote.sdo["Target velocity"].raw = -1500
    drive.nmt.start_heartbeat(100)
    remote.nmt.wait_for_heartbeat(timeout=5)
    remote.nmt.state = "OPERATIONAL"
    deadline = time.monotonic() + 5
    while drive.nmt.state != "OPERATIONAL" and time.monotonic() < deadline:
        time.sleep(0.02)
    result = (name, drive.sdo["Target velocity"].raw, drive.nmt.state)
    drive.nmt.stop_heartbeat()
    master.disconnect()
    slave.disconnect()
    return result
