"""The metabolism of a made-up cell: fluxes by COBRApy, knockouts, SBML and JSON round trips, its terms from an OBO ontology by Pronto, its paths by NetworkX, its rates in Pint's units, its kinetics in SymPy."""
import io
import logging
import tempfile
import warnings
from pathlib import Path

import fastobo
import networkx as nx
import pint
import pronto
import sympy
from cobra import Metabolite, Model, Reaction
from cobra.flux_analysis import flux_variability_analysis, pfba, single_gene_deletion
from cobra.io import load_json_model, read_sbml_model, save_json_model, write_sbml_model
from pydantic import BaseModel, model_validator

OBO = """format-version: 1.4
ontology: cell
data-version: 2026-11-30

[Term]
id: CELL:0001
name: sugar
def: "A sweet thing." [DESK:1]

[Term]
id: CELL:0002
name: glucose
synonym: "dextrose" EXACT []
xref: CHEBI:17234
is_a: CELL:0001 ! sugar

[Term]
id: CELL:0003
name: pyruvate
relationship: made_of CELL:0002

[Typedef]
id: made_of
name: made of
is_transitive: true
"""


class Knockout(BaseModel):
    gene: str
    growth: float
    essential: bool = False

    @model_validator(mode="after")
    def decide(self):
        self.essential = self.growth < 1e-6
        return self


def cell():
    model = Model("cell")
    m = {i: Metabolite(i, name=n, formula=f, compartment=c) for i, n, f, c in (
        ("glc_e", "glucose", "C6H12O6", "e"), ("glc_c", "glucose", "C6H12O6", "c"), ("pyr_c", "pyruvate", "C3H3O3", "c"),
        ("atp_c", "ATP", "C10H12N5O13P3", "c"), ("lac_c", "lactate", "C3H5O3", "c"), ("bio_c", "biomass", "", "c"))}
    for name, parts, bounds, rule in (
        ("EX_glc", {"glc_e": -1}, (-10, 1000), ""),
        ("GLCt", {"glc_e": -1, "glc_c": 1}, (0, 1000), "g1 or g2"),
        ("GLYC", {"glc_c": -1, "pyr_c": 2, "atp_c": 2}, (0, 1000), "g3 and g4"),
        ("LDH", {"pyr_c": -1, "lac_c": 1}, (0, 1000), "g5"),
        ("DM_lac", {"lac_c": -1}, (0, 1000), ""),
        ("GROW", {"pyr_c": -1, "atp_c": -4, "bio_c": 1}, (0, 1000), ""),
        ("DM_bio", {"bio_c": -1}, (0, 1000), ""),
    ):
        r = Reaction(name, lower_bound=bounds[0], upper_bound=bounds[1])
        model.add_reactions([r])
        r.add_metabolites({m[k]: v for k, v in parts.items()})
        r.gene_reaction_rule = rule
    model.objective = "GROW"
    return model


def terms():
    onto = pronto.Ontology(io.BytesIO(OBO.encode()))
    document = fastobo.loads(OBO)
    frames = [str(f.id) for f in document]
    out = io.BytesIO()
    onto.dump(out, format="json")
    glucose = onto["CELL:0002"]
    return onto, {
        "above": [t.name for t in glucose.superclasses(with_self=False)], "also": [s.description for s in glucose.synonyms],
        "made": [t.name for t in onto["CELL:0003"].relationships[onto.get_relationship("made_of")]], "frames": frames, "json": b"dextrose" in out.getvalue(),
    }


def main():
    warnings.simplefilter("ignore")
    logging.getLogger("cobra").setLevel(logging.ERROR)
    d = Path(tempfile.mkdtemp())
    model = cell()
    growth = model.optimize()
    lean = pfba(model)
    ranges = flux_variability_analysis(model, ["LDH", "GLCt"], fraction_of_optimum=1.0, processes=1)
    deleted = single_gene_deletion(model, processes=1)
    knock = sorted((Knockout(gene=next(iter(row.ids)), growth=row.growth or 0) for row in deleted.itertuples()), key=lambda k: k.gene)
    write_sbml_model(model, str(d / "cell.xml"))
    save_json_model(model, d / "cell.json", pretty=True)
    same = [round(x.slim_optimize(), 6) for x in (read_sbml_model(str(d / "cell.xml")), load_json_model(d / "cell.json"))]
    graph = nx.DiGraph((a.id, b.id) for r in model.reactions for a in r.reactants for b in r.products)
    path = nx.shortest_path(graph, "glc_e", "bio_c")
    onto, known = terms()
    named = {m.id for m in model.metabolites if m.name in {t.name for t in onto.terms()}}
    units = pint.UnitRegistry()
    rate = (growth.fluxes["GLCt"] * units.millimole / units.gram / units.hour).to("micromole / gram / minute")
    s, v, k = sympy.symbols("s v k", positive=True)
    half = sympy.solve(sympy.Eq(v * s / (k + s), v / 2), s)
    assert same == [round(growth.objective_value, 6)] * 2 == [5.0, 5.0], same
    print(known)
    print("OK", round(lean.fluxes["GLYC"], 3), ranges.round(3).abs().values.tolist(), [k.gene for k in knock if k.essential], path, sorted(named), f"{rate:.2f~P}", half)


main()
