"""A forecast as a Kedro pipeline: a catalog of datasets named in YAML, parameters, two modular pipelines, run in a row and in threads, with Polars."""
import tempfile
from pathlib import Path

import polars as pl
import yaml
from kedro.io import DataCatalog
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner, ThreadRunner
from pydantic import BaseModel

CATALOG = """
sales:
  type: polars.CSVDataset
  filepath: {d}/sales.csv
weekly:
  type: polars.CSVDataset
  filepath: {d}/weekly.csv
model:
  type: json.JSONDataset
  filepath: {d}/model.json
report:
  type: yaml.YAMLDataset
  filepath: {d}/report.yml
scratch:
  type: MemoryDataset
"""


class Model(BaseModel):
    mean: float
    trend: float


def weekly(sales):
    return sales.with_columns((pl.col("day") // 7).alias("week")).group_by("week").agg(pl.col("n").sum()).sort("week")


def fit(weeks, horizon):
    n = weeks["n"].cast(pl.Float64)
    return Model(mean=n.mean(), trend=(n[-1] - n[0]) / max(len(n) - 1, 1) * horizon).model_dump()


def report(model):
    m = Model(**model)
    return {"next": round(m.mean + m.trend, 2)}


def main():
    d = Path(tempfile.mkdtemp())
    pl.DataFrame({"day": list(range(28)), "n": [i % 5 + i // 7 for i in range(28)]}).write_csv(d / "sales.csv")
    for Runner in (SequentialRunner, ThreadRunner):
        catalog = DataCatalog.from_config(yaml.safe_load(CATALOG.format(d=d)))
        catalog["params:horizon"] = 2
        flow = pipeline([node(weekly, "sales", "weekly"), node(fit, ["weekly", "params:horizon"], "model")]) + pipeline([node(report, "model", "report")])
        Runner().run(flow, catalog)
    out = yaml.safe_load((d / "report.yml").read_text())
    print("OK", out, sorted(p.name for p in d.iterdir()), len(flow.nodes))


main()
