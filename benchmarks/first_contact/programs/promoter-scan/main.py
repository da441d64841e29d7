"""Finds binding sites in promoters, writes browser tracks and scores a protein family."""
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import dendropy
import pyhmmer
from dendropy.calculate import treecompare
from promoters import Genome, MotifScanner, TrackStore

DATA = Path(__file__).resolve().parent / "data"
UPSTREAM, DOWNSTREAM = 350, 50


def protein_family():
    alphabet = pyhmmer.easel.Alphabet.amino()
    with pyhmmer.easel.MSAFile(DATA / "family.sto", digital=True, alphabet=alphabet) as handle:
        msa = handle.read()
    msa.name = "HTH_demo"
    builder = pyhmmer.plan7.Builder(alphabet, seed=42)
    background = pyhmmer.plan7.Background(alphabet)
    hmm, _, _ = builder.build_msa(msa, background)
    print(f"HMM: {hmm.M} match states, {hmm.nseq} sequences, consensus {hmm.consensus[:12]}...")
    with pyhmmer.easel.SequenceFile(DATA / "proteome.fa", digital=True, alphabet=alphabet) as handle:
        sequences = handle.read_block()
    found = []
    for hits in pyhmmer.hmmsearch(hmm, sequences, cpus=1, E=1e-3):
        for hit in hits:
            domain = hit.best_domain
            found.append((str(hit.name), round(hit.score, 1), domain.alignment.target_from,
                          domain.alignment.target_to))
    aligned = pyhmmer.hmmalign(hmm, pyhmmer.easel.DigitalSequenceBlock(
        alphabet, [s for s in sequences if s.name in {f[0] for f in found}]), trim=True)
    return found, len(aligned.alignment[0])


def main():
    with tempfile.TemporaryDirectory() as tmp:
        work = Path(tmp)
        genome = Genome(DATA / "genome.fa", work)
        genes = genome.genes(DATA / "genes.tsv")
        sizes = genome.sizes()
        print("contigs:", ", ".join(f"{k} {v} bp" for k, v in sizes.items()))
        bases = Counter("".join(genome.fetch(c, 0, n) for c, n in sizes.items()))
        total = sum(bases.values())
        scanner = MotifScanner(DATA / "motifs.jaspar", 2e-4, {b: bases[b] / total for b in "ACGT"} | {"N": 0.0})
        for name, threshold, best in scanner.describe():
            print(f"motif {name}: threshold {threshold}, maximum {best}")

        tracks = TrackStore(work, sizes)
        regions, sites = [], defaultdict(list)
        for gene in genes:
            start, end = gene.promoter(UPSTREAM, DOWNSTREAM)
            end = min(end, sizes[gene.chrom])
            sequence = genome.fetch(gene.chrom, start, end)
            hits = list(scanner.scan(sequence))
            for name, strand, offset, score in hits:
                width = 7 if name.startswith("MA0001") else 8
                regions.append((gene.chrom, start + offset, start + offset + width, f"{name}\t{int(score * 10)}\t{strand}"))
                if strand == "+":
                    sites[name].append(sequence[offset:offset + width])
            summary = Counter(name for name, *_ in hits)
            print(f"{gene.name:5} {gene.chrom}:{start}-{end}{gene.strand} "
                  + (", ".join(f"{n} x{c}" for n, c in sorted(summary.items())) or "no site"))
        for name, found in sorted(sites.items()):
            print("rebuilt", *scanner.rebuild(found, f"{name}-new"), "from", len(found), "sites")
        print("best on chrA:", {n: scanner.best(n, genome.fetch("chrA", 0, sizes["chrA"])) for n in sorted(scanner.motifs)})

        signal = ((c, s, min(s + 50, sizes[c]), round(gc, 4))
                  for c in sorted(sizes) for s, gc in genome.gc(c, 50))
        bigwig = tracks.write_signal("gc", signal)
        bigbed = tracks.write_regions("sites", set(regions))
        for chrom in sorted(sizes):
            print(f"{chrom} GC profile {tracks.profile(bigwig, chrom, 5)}, {len(tracks.regions(bigbed, chrom))} sites")
        for name, stats in tracks.over_bed(bigwig, DATA / "peaks.bed"):
            print(f"{name}: mean GC {stats.mean:.3f}, min {stats.min:.2f}, max {stats.max:.2f}")

        found, width = protein_family()
        for row in found:
            print("family member", *row)
        print("aligned columns:", width)

        tree = dendropy.Tree.get(path=str(DATA / "species.nwk"), schema="newick")
        other = dendropy.Tree.get(data="((chrA:0.1,chrC:0.2):0.1,(chrB:0.1,outgroup:0.4):0.1);", schema="newick",
                                  taxon_namespace=tree.taxon_namespace)
        for t in (tree, other):
            t.encode_bipartitions()
        pdm = tree.phylogenetic_distance_matrix()
        labels = {t.label: t for t in tree.taxon_namespace}
        print("distance chrA-chrC:", round(pdm(labels["chrA"], labels["chrC"]), 3),
              "RF:", treecompare.symmetric_difference(tree, other))
        print(tree.as_string(schema="nexus").splitlines()[0])
    print(f"OK {len(genes)} promoters, {len(set(regions))} sites, {len(found)} family members")


if __name__ == "__main__":
    main()
