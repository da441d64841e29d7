import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

from pyfaidx import Fasta


@dataclass(frozen=True)
class Gene:
    name: str
    chrom: str
    tss: int
    strand: str

    def promoter(self, up: int, down: int) -> tuple[int, int]:
        if self.strand == "+":
            return max(0, self.tss - up), self.tss + down
        return max(0, self.tss - down), self.tss + up


class Genome:
    """Indexed FASTA; the index is written beside a working copy."""

    def __init__(self, source: Path, workdir: Path):
        copy = workdir / source.name
        shutil.copy(source, copy)
        self.fasta = Fasta(str(copy), sequence_always_upper=True, one_based_attributes=False)

    def sizes(self) -> dict[str, int]:
        return {name: len(record) for name, record in self.fasta.items()}

    def fetch(self, chrom: str, start: int, end: int, strand: str = "+") -> str:
        seq = self.fasta[chrom][start:min(end, len(self.fasta[chrom]))]
        return (seq.reverse.complement if strand == "-" else seq).seq

    def gc(self, chrom: str, window: int):
        for start in range(0, len(self.fasta[chrom]), window):
            yield start, self.fasta[chrom][start:start + window].gc

    @staticmethod
    def genes(path: Path) -> list[Gene]:
        with path.open(newline="") as handle:
            return [Gene(r["gene"], r["chrom"], int(r["tss"]), r["strand"])
                    for r in csv.DictReader(handle, delimiter="\t")]
