"""Assets of the meter pipeline: raw readings, cleaned, per day and as a summary."""
from datetime import datetime, timedelta

import dagster as dg
import polars as pl
from dagster_pandas import PandasColumn, create_dagster_pandas_dataframe_type

DAYS = dg.DailyPartitionsDefinition(start_date="2024-03-01", end_date="2024-03-06")
Daily = create_dagster_pandas_dataframe_type(
    name="Daily", columns=[PandasColumn.string_column("meter", non_nullable=True), PandasColumn.float_column("kwh", min_value=0)])


class Window(dg.Config):
    drop_above: float = 9.0


@dg.asset(partitions_def=DAYS, group_name="intake", tags={"layer": "raw"}, kinds={"polars"})
def readings(context: dg.AssetExecutionContext) -> dg.Output[pl.DataFrame]:
    start = datetime.fromisoformat(context.partition_key)
    rows = [{"meter": f"M{m}", "at": start + timedelta(hours=h), "kwh": ((m * 7 + h * 3 + start.day) % 11) / 1.0} for m in range(4) for h in range(24)]
    frame = pl.DataFrame(rows)
    return dg.Output(frame, metadata={"rows": len(frame), "preview": dg.MetadataValue.md("|meter|kwh|")}, data_version=dg.DataVersion(context.partition_key))


@dg.asset(partitions_def=DAYS, group_name="clean", owners=["team:metering"])
def cleaned(context: dg.AssetExecutionContext, config: Window, readings: pl.DataFrame) -> pl.DataFrame:
    kept = readings.filter(pl.col("kwh") <= config.drop_above)
    context.add_output_metadata({"dropped": len(readings) - len(kept)})
    return kept


@dg.asset(partitions_def=DAYS, group_name="clean", dagster_type=Daily)
def daily(cleaned: pl.DataFrame):
    return cleaned.group_by("meter").agg(pl.col("kwh").sum()).sort("meter").to_pandas()


@dg.multi_asset(outs={"totals": dg.AssetOut(), "ranking": dg.AssetOut()}, group_name="report")
def summary(daily: dict):
    frames = pl.concat([pl.from_pandas(f).with_columns(day=pl.lit(k)) for k, f in sorted(daily.items())])
    totals = frames.group_by("day").agg(pl.col("kwh").sum()).sort("day")
    ranking = frames.group_by("meter").agg(pl.col("kwh").sum()).sort("kwh", descending=True)
    return totals, ranking


@dg.asset_check(asset=cleaned, blocking=True, partitions_def=DAYS)
def no_outliers(cleaned: pl.DataFrame) -> dg.AssetCheckResult:
    top = cleaned["kwh"].max()
    return dg.AssetCheckResult(passed=top <= 9, severity=dg.AssetCheckSeverity.ERROR, metadata={"top": top})
