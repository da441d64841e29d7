import json
import math
from pathlib import Path

import foxglove
from foxglove import Channel
from foxglove.channels import LocationFixChannel, LogChannel, PoseInFrameChannel
from foxglove.mcap import MCAPCompression, MCAPWriteOptions
from foxglove.messages import LocationFix, Log, LogLevel, Pose, PoseInFrame, Quaternion, Timestamp, Vector3
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory

STATE_SCHEMA = {"type": "object", "properties": {"step": {"type": "integer"}, "mode": {"type": "string"}}}


def record(path: Path, compression: MCAPCompression) -> None:
    poses = PoseInFrameChannel("/arm/pose")
    fixes = LocationFixChannel("/base/fix")
    log = LogChannel("/log")
    states = Channel("/arm/state", schema=STATE_SCHEMA)
    with foxglove.open_mcap(path, writer_options=MCAPWriteOptions(compression=compression, chunk_size=4096)):
        for step in range(50):
            at = Timestamp(1_700_000_000 + step, 0)
            turn = step * math.pi / 50
            pose = Pose(
                position=Vector3(x=math.cos(turn), y=math.sin(turn), z=0.5),
                orientation=Quaternion(x=0, y=0, z=math.sin(turn / 2), w=math.cos(turn / 2)),
            )
            poses.log(PoseInFrame(timestamp=at, frame_id="base", pose=pose), log_time=step * 1_000_000)
            fixes.log(LocationFix(timestamp=at, frame_id="map", latitude=52.5 + step / 1e5, longitude=13.4), log_time=step * 1_000_000)
            states.log({"step": step, "mode": "MOVE" if step % 5 else "HOLD"}, log_time=step * 1_000_000)
        log.log(Log(level=LogLevel.Warning, name="arm", message="end of path"), log_time=50_000_000)
    for channel in (poses, fixes, log, states):
        channel.close()


def summarize(path: Path) -> dict[str, float | int | str]:
    with path.open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        summary = reader.get_summary()
        result: dict[str, float | int | str] = {"messages": summary.statistics.message_count, "channels": len(summary.channels)}
        decoded = list(reader.iter_decoded_messages(topics=["/arm/pose", "/log"]))
        result["reach"] = round(sum(m.decoded_message.pose.position.y for m in decoded if m.channel.topic == "/arm/pose"), 3)
        result["log"] = next(m.decoded_message.message for m in decoded if m.channel.topic == "/log")
        raw = [json.loads(message.data) for _, _, message in reader.iter_messages(topics=["/arm/state"])]
        result["holds"] = sum(1 for state in raw if state["mode"] == "HOLD")
    return result
