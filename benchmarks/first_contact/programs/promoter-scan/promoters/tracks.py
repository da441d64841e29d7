from pathlib import Path

import numpy as np
import pybigtools


class TrackStore:
    """bigWig/bigBed files in one folder."""

    def __init__(self, folder: Path, sizes: dict[str, int]):
        self.folder, self.sizes = folder, sizes

    def write_signal(self, name: str, values) -> Path:
        path = self.folder / f"{name}.bw"
        writer = pybigtools.open(str(path), "w")
        writer.write(self.sizes, iter(values))
        return path

    def write_regions(self, name: str, rows) -> Path:
        path = self.folder / f"{name}.bb"
        writer = pybigtools.open(str(path), "w")
        writer.write(self.sizes, iter(sorted(rows)))
        return path

    def profile(self, path: Path, chrom: str, bins: int) -> list[float]:
        with pybigtools.open(str(path)) as reader:
            values = reader.values(chrom, 0, self.sizes[chrom], bins=bins, summary="mean", fillna=0.0)
        return [round(float(v), 4) for v in np.asarray(values)]

    def over_bed(self, path: Path, bed: Path):
        with pybigtools.open(str(path)) as reader:
            for name, stats in reader.average_over_bed(str(bed), names=4, stats="all"):
                yield name, stats

    def regions(self, path: Path, chrom: str):
        with pybigtools.open(str(path)) as reader:
            return list(reader.records(chrom))
