"""Grain intake: checks raw deliveries, filters by schema and folds a live stream."""
import json
import tempfile
from pathlib import Path

import dataframely as dy
import pointblank as pb
import polars as pl
import sqlalchemy as sa
from bytewax.testing import run_main
from bytewax.visualize import to_json

from intake.schemas import Delivery, Farm, Harvest
from intake.stream import build

BASE = Path(__file__).resolve().parent


def raw_checks(deliveries: pl.DataFrame):
    rules = (BASE / "checks" / "raw.yaml").read_text()
    validation = pb.yaml_interrogate(rules, set_tbl=deliveries)
    report = json.loads(validation.get_json_report())
    for step in report:
        print(f"  {step['assertion_type']:18} {str(step['column']):12} failed {step['n_failed']:>2} warning {step['warning']}")
    print("as code:", pb.yaml_to_python(rules).splitlines()[1][:30], "... all passed:", validation.all_passed())
    return validation


def typed_checks(frame: pl.DataFrame) -> pb.Validate:
    schema = pb.Schema(columns=[("delivery_id", "Int64"), ("tonnes", "Float64")])
    return (pb.Validate(frame, tbl_name="accepted", thresholds=pb.Thresholds(warning=0.05, error=0.1), lang="de")
            .col_schema_match(schema, complete=False)
            .col_vals_expr(pl.col("tonnes") * pl.col("moisture") < 600)
            .col_vals_lt("moisture", 16.5, segments="silo")
            .col_vals_not_null(pb.starts_with("del"))
            .row_count_match(len(frame))
            .conjointly(lambda df: pl.col("tonnes") > 0, lambda df: pl.col("moisture") > 0)
            .interrogate())


def main():
    deliveries = pl.read_csv(BASE / "data" / "deliveries.csv", try_parse_dates=True)
    farms = pl.read_csv(BASE / "data" / "farms.csv")
    print(f"read {deliveries.height} deliveries of {deliveries['farm'].n_unique()} farms, {pb.get_row_count(farms)} registered")
    raw_checks(deliveries)

    good, failure = Delivery.filter(deliveries, cast=True)
    print("schema:", good.height, "good,", len(failure), "refused", dict(sorted(failure.counts().items())))
    pairs = failure.cooccurrence_counts()
    print("rules failing together:", max(len(k) for k in pairs))
    harvest, problems = Harvest.filter({"farms": farms, "deliveries": deliveries}, cast=True)
    for name in sorted(problems):
        print(f"collection {name}: refused {len(problems[name])}")
    members = harvest.collect_all()
    accepted = members.deliveries.collect()
    try:
        Farm.validate(pl.DataFrame({"farm": ["X"], "owner": ["Y"], "iban_ok": [None], "hectares": [0]}), cast=True)
    except dy.exc.ValidationError as exc:
        print("farm:", str(exc).splitlines()[0])
    print("sample:", Delivery.sample(5, generator=dy.random.Generator(seed=1),
                                     overrides={"crop": ["wheat"] * 5, "silo": ["A"] * 5}).shape)
    FarmModel = Farm.to_pydantic_model()
    print("pydantic:", FarmModel(farm="F-07", owner="Ernst", iban_ok=True, hectares=20).model_dump())

    validation = typed_checks(accepted)
    print("accepted:", validation.n_passed(i=2, scalar=True), "pass step 2;", "below limits:",
          [k for k, v in validation.warning().items() if v])
    validation.assert_below_threshold(level="error", i=2)
    html = validation.get_tabular_report(title="Annahme").as_raw_html()
    print("report:", "Annahme" in html, len(html) > 5000, "extract rows:", validation.get_data_extracts(i=3, frame=True).height)
    scan = pb.DataScan(accepted.select("tonnes", "moisture"), tbl_name="accepted")
    print("scan:", len(json.loads(scan.to_json())) > 0)

    daily, alarms = [], []
    flow = build(deliveries.sort("arrived").to_dicts(), daily, alarms)
    graph = json.loads(to_json(flow))
    run_main(flow)
    print(f"dataflow {graph['flow_id']}: {len(graph['substeps'])} steps, {len(daily)} windows, alarms {sorted(alarms)}")
    best = max(daily, key=lambda kv: kv[1][1][1])
    print(f"busiest: silo {best[0]} window {best[1][0]} with {best[1][1][0]} loads, {best[1][1][1]:.2f} t")

    with tempfile.TemporaryDirectory() as tmp:
        members.write_parquet(Path(tmp) / "harvest", mkdir=True)
        again = Harvest.read_parquet(Path(tmp) / "harvest")
        engine = sa.create_engine(f"sqlite:///{tmp}/intake.db")
        meta = sa.MetaData()
        table = sa.Table("farm", meta, *Farm.to_sqlalchemy_columns(engine.dialect))
        meta.create_all(engine)
        with engine.begin() as db:
            db.execute(table.insert(), members.farms.collect().to_dicts())
            owners = db.execute(sa.select(table.c.owner).where(table.c.hectares > 90).order_by(table.c.owner)).scalars().all()
        engine.dispose()
        print("stored:", again.deliveries.collect().height, owners)
        per_farm = (harvest.deliveries.join(harvest.farms, on="farm").group_by("owner")
                    .agg(pl.col("tonnes").sum().round(2)).sort("owner").collect())
        print("tonnes:", dict(per_farm.iter_rows()))
    print(f"OK {accepted.height} of {deliveries.height} deliveries accepted, {len(daily)} windows")


if __name__ == "__main__":
    main()
