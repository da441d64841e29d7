"""Read measurements with metric prefixes and report what they come to.

Usage: app.py [FILE]        each line of FILE is `MOMENT NUMBER UNIT`
"""

import asyncio
import logging
import sys
from decimal import Decimal
from pathlib import Path

import native_prefix as si
import numpy as np

MEASUREMENTS = """\
2026-03-01T09:00:00+01:00 1.25 kW
2026-03-01T10:00:00+01:00 1.5 kW
2026-03-01T10:00:00+00:00 0.875 kW
"""


async def next_samples(numbers: list[Decimal]) -> list[Decimal]:
    """The numbers as they come in, one after the other: the last first."""
    waiting = [si.sample(n, 100 * (len(numbers) - i)) for i, n in enumerate(numbers)]
    sampled = [await done for done in asyncio.as_completed(waiting)]
    # A thread of tokio that comes back to an interpreter which is ending takes the process down:
    # https://github.com/PyO3/pyo3-async-runtimes/issues/40. This lets the last one leave.
    await asyncio.sleep(0.5)
    return sampled


def main() -> None:
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="[%(levelname)s] %(message)s")
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    text = Path(sys.argv[1]).read_text() if len(sys.argv) > 1 else MEASUREMENTS
    measurements = [si.parse(line) for line in text.splitlines()]
    first, last = min(m[0] for m in measurements), max(m[0] for m in measurements)
    print(f"{len(measurements)} measurements in {last - first}")

    numbers = [number for _, number, _, _ in measurements]
    _, _, prefix, unit = measurements[0]
    watts = si.scale(np.array(numbers, dtype=np.float64), prefix)
    print(f"scaled: {watts.tolist()} {unit}")
    print(f"sampled: {', '.join(map(str, asyncio.run(next_samples(numbers))))}")

    total = si.total(numbers)
    print(f"total: {total} = {si.as_fraction(total)} {prefix}{unit}")
    for style in ("plain", "engineering"):
        print(f"{style}: {si.render(style, total * 1_000_000, 'm' + unit)}")
    mail = si.encode(text)
    print(f"{len(mail)} bytes by mail, {'the same' if si.decode(mail) == text else 'damaged'}")
    print(f"{si.count_prefixes()} known")


if __name__ == "__main__":
    main()
