"""Check, pack and replay the events of a small queue.

Usage: app.py [QUEUE]        QUEUE is the file of packed events (default: events.msgpack)
"""

import sys
from pathlib import Path

import jsonschema_rs
import ormsgpack
from whenever import Instant, OffsetDateTime, hours

SCHEMA = {
    "type": "object",
    "required": ["id", "at", "amount"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "at": {"type": "string", "format": "date-time"},
        "amount": {"type": "number", "minimum": 0},
    },
}


def make_events() -> list[dict[str, object]]:
    start = OffsetDateTime(2026, 3, 29, 1, 30, offset=hours(1)).to_instant()
    return [
        {
            "id": f"00000000-0000-4000-8000-{n:012x}",
            "at": (start + hours(n)).format_iso(),
            "amount": 12.5 - 5 * n,
        }
        for n in range(4)
    ]


def main() -> None:
    queue = Path(sys.argv[1] if len(sys.argv) > 1 else "events.msgpack")
    queue.write_bytes(ormsgpack.packb(make_events()))
    print(f"{queue.stat().st_size} bytes in {queue.name}")
    validator = jsonschema_rs.validator_for(SCHEMA, validate_formats=True)
    total = 0.0
    for event in ormsgpack.unpackb(queue.read_bytes()):
        errors = [error.message for error in validator.iter_errors(event)]
        if errors:
            print(f"{event['id'][-4:]} rejected: {'; '.join(errors)}")
            continue
        moment = Instant.parse_iso(event["at"]).to_fixed_offset(hours(2))
        total += event["amount"]
        print(f"{event['id'][-4:]} {moment.format_iso()} {event['amount']}")
    print(f"{total} in total, {moment.to_stdlib():%A}")
    queue.unlink()


if __name__ == "__main__":
    main()
