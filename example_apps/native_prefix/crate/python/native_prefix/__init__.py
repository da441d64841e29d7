"""Measurements with metric prefixes."""

import subprocess
from pathlib import Path

from native_prefix._rust import (
    as_fraction,
    decode,
    encode,
    parse,
    render,
    sample,
    scale,
    total,
)

__all__ = [
    "as_fraction",
    "count_prefixes",
    "decode",
    "encode",
    "parse",
    "render",
    "sample",
    "scale",
    "total",
]

_HERE = Path(__file__).resolve().parent


def count_prefixes() -> str:
    """What the program that lies beside the package says of the table of prefixes."""
    command = [_HERE / "bin" / "si-table", _HERE / "data" / "prefixes.csv"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
