from pathlib import Path

import lightmotif


class MotifScanner:
    def __init__(self, path: Path, pvalue: float, background: dict[str, float]):
        self.motifs = {}
        with path.open("rb") as handle:
            for motif in lightmotif.load(handle, format="jaspar16"):
                pssm = motif.counts.normalize(0.25).log_odds(background=background)
                self.motifs[motif.name] = (pssm, pssm.score(pvalue))

    def describe(self):
        for name, (pssm, threshold) in sorted(self.motifs.items()):
            yield name, round(threshold, 3), round(pssm.max_score(), 3)

    def scan(self, sequence: str):
        striped = lightmotif.stripe(sequence)
        for name, (pssm, threshold) in sorted(self.motifs.items()):
            for strand, matrix in (("+", pssm), ("-", pssm.reverse_complement())):
                hits = lightmotif.scan(matrix, striped, threshold=threshold)
                for hit in sorted(hits, key=lambda h: h.position):
                    yield name, strand, hit.position, round(hit.score, 3)

    def best(self, name: str, sequence: str):
        pssm, _ = self.motifs[name]
        scores = pssm.calculate(lightmotif.stripe(sequence))
        return scores.argmax(), round(scores.max(), 3)

    @staticmethod
    def rebuild(sites: list[str], name: str):
        """A new motif out of the sites that were found."""
        motif = lightmotif.create(sites, name=name)
        return motif.name, round(motif.pssm.max_score(), 3)
