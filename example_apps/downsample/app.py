"""Thin out a long series of measurements: write what is left as CSV, and before and after as PNG.

Usage: app.py [OUTPUT.csv [OUTPUT.png]]
"""

import csv
import hashlib
import logging
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import image
from matplotlib.figure import Figure
from tsdownsample import MinMaxLTTBDownsampler

POINTS = 100_000
KEPT = 500


def measure() -> np.ndarray:
    """A daily wave with spikes, in whole numbers: the same on every processor."""
    hours = np.arange(POINTS, dtype=np.int64)
    wave = np.abs(hours % 240 - 120)
    spikes = np.where(hours * 7919 % 9973 == 0, 400, 0)
    return (wave + spikes).astype(np.float64)


def write_csv(target: Path, series: np.ndarray, kept: np.ndarray) -> None:
    with target.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["hour", "value"])
        writer.writerows((int(i), int(series[i])) for i in kept)


def write_png(target: Path, series: np.ndarray, kept: np.ndarray) -> None:
    figure = Figure(figsize=(8, 4), dpi=100, layout="constrained")
    before, after = figure.subplots(2, 1, sharex=True)
    before.plot(series, linewidth=0.5)
    before.set_title(f"before: {len(series)} points")
    after.plot(kept, series[kept], linewidth=0.5)
    after.set_title(f"after: {len(kept)} points")
    figure.savefig(target)


def main() -> None:
    mpl.use("agg")  # no window, so neither Tk nor X11 in the frozen program
    # Each user's first run makes a list of the fonts, and says so if that takes long.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    table = Path(sys.argv[1] if len(sys.argv) > 1 else "downsampled.csv")
    picture = Path(sys.argv[2] if len(sys.argv) > 2 else "downsampled.png")
    series = measure()
    kept = MinMaxLTTBDownsampler().downsample(series, n_out=KEPT)
    write_csv(table, series, kept)
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    print(f"{len(kept)} of {POINTS} points kept, sha256 {digest[:16]}")
    write_png(picture, series, kept)
    height, width, _ = image.imread(picture).shape
    print(f"{picture.name}: {width} x {height} pixels")


if __name__ == "__main__":
    main()
