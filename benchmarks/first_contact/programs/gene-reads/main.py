"""Reads of a sequencer: FASTQ written by Biopython, counted and cut by needletail, translated and aligned, k-mers in Polars, a Typer command."""
import random
import tempfile
from collections import Counter
from pathlib import Path

import needletail
import polars as pl
import typer
from Bio import Align, SeqIO
from Bio.Align import substitution_matrices
from Bio.Data import CodonTable
from Bio.Seq import Seq
from Bio.SeqRecord import SeqRecord
from typer.testing import CliRunner

app = typer.Typer()


@app.command()
def count(path: Path, k: int = 4):
    kmers, n = Counter(), 0
    for record in needletail.parse_fastx_file(str(path)):
        n += 1
        kmers.update(record.seq[i:i + k] for i in range(len(record.seq) - k + 1))
    frame = pl.DataFrame({"kmer": list(kmers), "n": list(kmers.values())}).sort("n", "kmer", descending=[True, False])
    table = CodonTable.unambiguous_dna_by_name["Standard"]
    protein = Seq("ATGGCCATTGTAATGGGCCGCTGA").translate(table=table, to_stop=True)
    aligner = Align.PairwiseAligner(substitution_matrix=substitution_matrices.load("BLOSUM62"), open_gap_score=-11, extend_gap_score=-1)
    score = aligner.score(protein, "MAIVMGK")
    typer.echo(f"OK {n} {frame.height} {frame['n'].sum()} {protein} {score} {needletail.reverse_complement('AACG')}")


rng = random.Random(2)
path = Path(tempfile.mkdtemp()) / "r.fastq"
reads = [SeqRecord(Seq("".join(rng.choices("ACGT", k=30))), id=f"r{i}", description="", letter_annotations={"phred_quality": [30] * 30}) for i in range(20)]
SeqIO.write(reads, path, "fastq")
result = CliRunner().invoke(app, [str(path)])
assert result.exit_code == 0, (result.output, result.exception)
print(result.output.strip().splitlines()[-1])
