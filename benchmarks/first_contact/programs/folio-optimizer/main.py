"""A portfolio: CVXPY problems given to Clarabel and to other solvers, constraints from a Pydantic model, a frontier in Polars, printed as a table."""
import cvxpy as cp
import numpy as np
import polars as pl
from pydantic import BaseModel, Field
from tabulate import tabulate


class Mandate(BaseModel):
    assets: list[str]
    cap: float = Field(gt=0, le=1)
    risks: list[float]


def solve(mandate, mu, sigma, gamma, solver):
    w = cp.Variable(len(mu))
    g = cp.Parameter(nonneg=True, value=gamma)
    problem = cp.Problem(cp.Maximize(mu @ w - g * cp.quad_form(w, cp.psd_wrap(sigma))), [cp.sum(w) == 1, w >= 0, w <= mandate.cap])
    problem.solve(solver=solver)
    return problem.status, w.value


def main():
    mandate = Mandate(assets=list("ABCD"), cap=0.6, risks=[0.5, 2.0, 8.0])
    rng = np.random.default_rng(3)
    x = rng.normal(0.01, 0.05, (200, 4))
    mu, sigma = x.mean(0), np.cov(x.T)
    rows = []
    for gamma in mandate.risks:
        status, w = solve(mandate, mu, sigma, gamma, cp.CLARABEL)
        rows.append({"gamma": gamma, "status": status, **{a: round(float(v), 3) + 0.0 for a, v in zip(mandate.assets, w)}})
    frame = pl.DataFrame(rows)
    lp = cp.Variable(2, integer=False)
    lin = cp.Problem(cp.Minimize(lp[0] + 2 * lp[1]), [lp >= 1, lp[0] + lp[1] >= 3])
    lin.solve(solver=cp.SCIPY)
    cone = cp.Variable((2, 2), PSD=True)
    sdp = cp.Problem(cp.Minimize(cp.trace(cone)), [cone[0, 1] == 1])
    sdp.solve(solver=cp.SCS)
    text = tabulate(frame.to_dicts(), headers="keys", tablefmt="github")
    assert text.count("optimal") == 3
    print("OK", frame["status"].unique().to_list(), round(lin.value, 3), round(sdp.value, 1), "CLARABEL" in cp.installed_solvers(), frame.height)


main()
