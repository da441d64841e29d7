"""Thin out a long series of measurements and write what is left as CSV.

Usage: app.py [OUTPUT.csv]
"""

import csv
import hashlib
import sys
from pathlib import Path

import numpy as np
from tsdownsample import MinMaxLTTBDownsampler

POINTS = 100_000
KEPT = 500


def measure() -> np.ndarray:
    """A daily wave with spikes, in whole numbers: the same on every processor."""
    hours = np.arange(POINTS, dtype=np.int64)
    wave = np.abs(hours % 240 - 120)
    spikes = np.where(hours * 7919 % 9973 == 0, 400, 0)
    return (wave + spikes).astype(np.float64)


def main() -> None:
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "downsampled.csv")
    series = measure()
    kept = MinMaxLTTBDownsampler().downsample(series, n_out=KEPT)
    with target.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["hour", "value"])
        writer.writerows((int(i), int(series[i])) for i in kept)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    print(f"{len(kept)} of {POINTS} points kept, sha256 {digest[:16]}")


if __name__ == "__main__":
    main()
