"""A bench of particle physics: muon pairs written to a ROOT file in two compressions, masses by Vector, a histogram, a peak fitted by iminuit, a limit by pyhf."""
import tempfile
from pathlib import Path

import awkward as ak
import cramjam
import hist
import numpy as np
import pyhf
import uproot
import vector
from iminuit import Minuit, cost
from particle import Particle
from scipy.stats import norm

vector.register_awkward()


def simulate(n, seed=7):
    rng = np.random.default_rng(seed)
    muon = Particle.findall("mu-")[0]
    mass = muon.mass / 1000.0
    counts = rng.integers(2, 5, size=n)
    total = int(counts.sum())
    return ak.Array({
        "nMuon": counts,
        "Muon": ak.unflatten(
            ak.zip({
                "pt": rng.exponential(25.0, total) + 5.0,
                "eta": rng.uniform(-2.4, 2.4, total),
                "phi": rng.uniform(-np.pi, np.pi, total),
                "mass": np.full(total, mass),
            }),
            counts,
        ),
    })


def write(path, events, compression):
    with uproot.recreate(path, compression=compression) as f:
        f.mktree("Events", {"Muon": events.Muon.type.content, "run": "int32"}, title="toy events")
        half = len(events) // 2
        for part in (events[:half], events[half:]):
            f["Events"].extend({"Muon": part.Muon, "run": np.full(len(part), 3, dtype=np.int32)})
        f["note"] = "toy"


def masses(path):
    with uproot.open(path) as f:
        tree = f["Events"]
        arrays = tree.arrays(["Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass"])
        entries = tree.num_entries
    muons = ak.zip(
        {"pt": arrays.Muon_pt, "eta": arrays.Muon_eta, "phi": arrays.Muon_phi, "mass": arrays.Muon_mass},
        with_name="Momentum4D",
    )
    first, second = ak.unzip(ak.combinations(muons, 2))
    return entries, ak.flatten((first + second).mass)


def fit_peak(values):
    likelihood = cost.UnbinnedNLL(values, lambda x, mu, sigma: norm.pdf(x, mu, sigma))
    m = Minuit(likelihood, mu=90.0, sigma=3.0)
    m.limits["sigma"] = (0.1, 20)
    m.migrad()
    m.hesse()
    return m


def limit():
    model = pyhf.simplemodels.uncorrelated_background(signal=[12.0, 11.0], bkg=[50.0, 52.0], bkg_uncertainty=[3.0, 7.0])
    spec = pyhf.Workspace.build(model, [51.0, 48.0] + model.config.auxdata)
    pyhf.schema.validate(spec, "workspace.json")
    again = spec.model()
    observed, expected = pyhf.infer.hypotest(1.0, spec.data(again), again, test_stat="qtilde", return_expected=True)
    return round(float(observed), 3), round(float(expected), 3)


def main():
    d = Path(tempfile.mkdtemp())
    events = simulate(400)
    found = {}
    for name, compression in (("zstd", uproot.ZSTD(5)), ("lz4", uproot.LZ4(4))):
        path = d / f"{name}.root"
        write(path, events, compression)
        found[name] = masses(path)
    assert found["zstd"][0] == found["lz4"][0] == 400
    assert ak.all(found["zstd"][1] == found["lz4"][1])
    h = hist.Hist.new.Reg(40, 0, 200, name="m", label="dimuon mass").StrCat(["toy", "peak"], name="kind").Weight()
    h.fill(m=found["zstd"][1], kind="toy")
    peak = np.random.default_rng(3).normal(91.2, 2.5, 500)
    h.fill(m=peak, kind="peak")
    with uproot.recreate(d / "hist.root", compression=uproot.LZMA(3)) as f:
        f["mass"] = h[:, "toy"]
    back = uproot.open(d / "hist.root")["mass"].to_hist()
    m = fit_peak(peak)
    z = Particle.from_pdgid(23)
    pull = abs(m.values["mu"] - z.mass / 1000) / m.errors["mu"]
    obs, exp = limit()
    packed = cramjam.lz4.compress(peak.tobytes())
    assert bytes(cramjam.lz4.decompress(packed)) == peak.tobytes()
    assert m.valid and back.sum().value == h[:, "toy"].sum().value
    print("muon", Particle.from_name("mu-").latex_name, "Z", z.name, round(z.mass / 1000, 1))
    print("OK", len(found["lz4"][1]), int(back.sum().value), round(m.values["mu"], 2), pull < 3, obs, exp)


main()
