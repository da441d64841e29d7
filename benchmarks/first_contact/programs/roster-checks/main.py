"""Quality gate for staff rosters: clean a spreadsheet export, check it with Great Expectations and hand it on in several formats."""
import io
import logging
import os
import pathlib
import sys
import tempfile
import warnings

os.environ["GX_ANALYTICS_ENABLED"] = "false"
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
import great_expectations as gx
import great_expectations.expectations as gxe
import janitor
import janitor.polars
import pandas as pd
import polars as pl
import tablib
from great_expectations.checkpoint import UpdateDataDocsAction
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.exceptions import DataContextError
from great_expectations.expectations.metadata_types import FailureSeverity
from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML
from tqdm import tqdm

HERE = pathlib.Path(__file__).parent


class Outcome(BaseModel):
    model_config = ConfigDict(frozen=True)
    check: str
    column: str | None
    passed: bool
    severity: str
    bad: list = []


class ExpectHoursWithinContract(gxe.ExpectColumnValuesToBeBetween):
    """Weekly hours must stay within the working time rules."""

    column: str = "hours_week"
    min_value: float = 8
    max_value: float = 48
    description: str = "Nobody works more than 48 hours a week"


def clean(path):
    frame = (
        pd.read_csv(path)
        .clean_names(remove_special=True)
        .rename_column("e_mail", "mail")
        .to_datetime("start_date", format="%Y-%m-%d")
        .encode_categorical(team="sort")
        .add_column("active", True)
    )
    frame.columns = [c.replace("__", "_") for c in frame.columns]
    return frame


def build_suite(context):
    suite = context.suites.add(ExpectationSuite(name="roster"))
    suite.add_expectation(gxe.ExpectColumnValuesToBeUnique(column="employee_id", severity=FailureSeverity.CRITICAL))
    suite.add_expectation(gxe.ExpectColumnValuesToNotBeNull(column="full_name"))
    suite.add_expectation(gxe.ExpectColumnValuesToMatchRegex(column="mail", regex=r"^[^@]+@[^@]+$", severity=FailureSeverity.WARNING))
    suite.add_expectation(gxe.ExpectColumnDistinctValuesToBeInSet(column="team", value_set=["north", "south", "east", "west"]))
    suite.add_expectation(gxe.ExpectTableRowCountToBeBetween(min_value=1, max_value={"$PARAMETER": "most"}))
    suite.add_expectation(gxe.ExpectColumnMeanToBeBetween(column="hours_week", min_value=20, max_value=42))
    suite.add_expectation(ExpectHoursWithinContract())
    return suite


def validate(frame, root):
    context = gx.get_context(mode="file", project_root_dir=root)
    asset = context.data_sources.add_pandas("hr").add_dataframe_asset("roster")
    batch = asset.add_batch_definition_whole_dataframe("all")
    definition = context.validation_definitions.add(gx.ValidationDefinition(name="nightly", data=batch, suite=build_suite(context)))
    checkpoint = context.checkpoints.add(gx.Checkpoint(name="gate", validation_definitions=[definition], actions=[UpdateDataDocsAction(name="docs")], result_format="COMPLETE"))
    result = checkpoint.run(batch_parameters={"dataframe": frame}, expectation_parameters={"most": 10})
    (run,) = result.run_results.values()
    outcomes = []
    for r in tqdm(run.results, disable=not sys.stderr.isatty()):
        config = r.expectation_config
        outcomes.append(Outcome(check=config.type, column=config.kwargs.get("column"), passed=r.success, severity=str(getattr(config.severity, "value", config.severity)), bad=r.result.get("partial_unexpected_list", [])))
    pages = sorted(p.name for p in pathlib.Path(root).rglob("*.html"))
    again = gx.get_context(mode="file", project_root_dir=root)
    print("stored", [s.name for s in again.suites.all()], [c.name for c in again.checkpoints.all()], "docs", "index.html" in pages, len(pages) > 2)
    try:
        again.suites.get("absent")
    except DataContextError as error:
        print("absent", type(error).__name__)
    return sorted(outcomes, key=lambda o: (o.check, o.column or ""))


def interactive(frame):
    context = gx.get_context(mode="ephemeral")
    batch = context.data_sources.pandas_default.read_dataframe(frame)
    result = batch.validate(gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="hours_week", column_B="employee_id"))
    print("pair", result.success, result.result["element_count"])
    try:
        gxe.ExpectColumnValuesToBeBetween(column="hours_week", min_value=9, max_value=1, mostly=3)
    except ValueError as error:
        print("bad expectation", len(str(error).splitlines()) > 1)


def exports(outcomes, frame):
    book = tablib.Databook()
    checks = tablib.Dataset(*[(o.check.removeprefix("expect_"), o.column or "-", o.passed, o.severity) for o in outcomes], headers=["check", "column", "passed", "severity"], title="checks")
    staff = tablib.Dataset(title="staff")
    staff.df = frame.drop(columns=["start_date"]).astype({"team": str})
    staff.title = "staff"
    book.add_sheet(checks)
    book.add_sheet(staff)
    back = tablib.Databook().load(io.BytesIO(book.export("xlsx")), format="xlsx")
    print("xlsx", [(s.title, s.height, s.width) for s in back.sheets()])
    for kind in ("csv", "json", "yaml", "html", "tsv", "jira"):
        print(kind, len(checks.export(kind)) > 100, tablib.detect_format(checks.export(kind)) if kind in ("csv", "json") else "")
    print("failed", [r["check"] for r in checks.dict if not r["passed"]])


def polars_side(path):
    table = pl.read_csv(path).clean_names(remove_special=True, strip_underscores="both")
    print("polars", table.columns[:3], table.group_by("team").agg(pl.len().alias("n")).sort("n", "team", descending=[True, False]).row(0))


def main():
    source = HERE / "roster.csv"
    frame = clean(source)
    print("columns", list(frame.columns), frame["team"].cat.categories.tolist())
    with tempfile.TemporaryDirectory() as root:
        outcomes = validate(frame, root)
    for o in outcomes:
        print(" ", "pass" if o.passed else "FAIL", o.check, o.column, o.severity, o.bad)
    interactive(frame)
    exports(outcomes, frame)
    polars_side(source)
    out = io.StringIO()
    YAML().dump({"gate": "closed" if not all(o.passed for o in outcomes) else "open", "failed": sum(not o.passed for o in outcomes)}, out)
    print(out.getvalue().split("\n")[:2])
    print("OK roster-checks")


if __name__ == "__main__":
    main()
