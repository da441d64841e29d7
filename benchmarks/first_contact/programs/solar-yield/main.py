"""Yield of photovoltaic plants: clear-sky model chains by pvlib, seasonal regression by statsmodels, tables by Polars, a chart and a NetCDF export."""
import tempfile
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pvlib
import statsmodels.api as sm
import statsmodels.formula.api as smf
import typer
import xarray as xr
from jinja2 import Environment
from pvlib.location import Location
from pvlib.modelchain import ModelChain
from pvlib.pvsystem import Array, FixedMount, PVSystem
from pvlib.temperature import TEMPERATURE_MODEL_PARAMETERS
from pydantic import ValidationError
from statsmodels.tsa.holtwinters import ExponentialSmoothing
from statsmodels.tsa.stattools import adfuller

from settings import Plant, Settings, load_plant

warnings.filterwarnings("ignore", category=RuntimeWarning)
app = typer.Typer(add_completion=False, help=__doc__)
REPORT = """\
{%- for row in rows %}
{{ "%-9s"|format(row.site) }} {{ "%6.1f"|format(row.kwh) }} kWh on {{ row.days }} days, best month {{ row.best }}
{%- endfor %}
"""


def system(site, settings, losses):
    modules = pvlib.pvsystem.retrieve_sam(settings.module_family)
    inverter = pvlib.pvsystem.retrieve_sam("CECInverter")[settings.inverter].copy()
    rated, series = sum(a.modules * a.strings for a in site.arrays), site.arrays[0].modules
    for key in ("Paco", "Pdco", "Pso", "Pnt"):  # one large inverter, scaled up from the micro inverter
        inverter[key] *= rated
    inverter["Vdco"] *= series
    inverter[["C1", "C2", "C3"]] /= series
    thermal = TEMPERATURE_MODEL_PARAMETERS["sapm"]["open_rack_glass_polymer"]
    arrays = [Array(FixedMount(a.tilt, a.azimuth), albedo=pvlib.albedo.SURFACE_ALBEDOS[site.albedo],
                    module_parameters=modules[settings.module], temperature_model_parameters=thermal,
                    modules_per_string=a.modules, strings=a.strings) for a in site.arrays]
    return PVSystem(arrays=arrays, inverter_parameters=inverter, losses_parameters=losses)


def simulate(site, settings, losses):
    place = Location(site.latitude, site.longitude, site.timezone, site.altitude, site.name)
    days = [pd.date_range(f"{settings.year}-{m:02d}-01", periods=10 * 24, freq="h", tz=site.timezone) for m in settings.months]
    times = days[0].append(days[1:])
    weather = place.get_clearsky(times, model=settings.clearsky)
    angle = place.get_solarposition(times)
    weather["temp_air"] = 12 + 10 * np.sin((times.day_of_year - 100) / 365 * 2 * np.pi) + 4 * np.cos((times.hour - 15) / 24 * 2 * np.pi)
    weather["wind_speed"] = 2.0
    chain = ModelChain(system(site, settings, losses), place, transposition_model=settings.transposition,
                       aoi_model="physical", spectral_model="no_loss", losses_model="pvwatts")
    chain.run_model(weather)
    ac = chain.results.ac.fillna(0).clip(lower=0)
    return pd.DataFrame({"site": site.name, "ac": ac, "ghi": weather["ghi"], "temp": weather["temp_air"], "elevation": angle["apparent_elevation"]})


def tables(frames):
    data = pl.concat([pl.from_pandas(f.reset_index(names="time").assign(time=lambda d: d["time"].dt.tz_localize(None))) for f in frames])
    daily = (data.with_columns(pl.col("time").dt.date().alias("day"), pl.col("time").dt.strftime("%b").alias("month"))
             .group_by("site", "day", "month").agg((pl.col("ac").sum() / 1000).alias("kwh"), (pl.col("ghi").sum() / 1000).alias("ghi"), pl.col("temp").mean())
             .sort("site", "day"))
    return data, daily


def regression(daily):
    frame = daily.to_pandas()
    ols = smf.ols("kwh ~ ghi + temp + C(site)", data=frame).fit()
    glm = sm.GLM(frame["kwh"], sm.add_constant(frame[["ghi"]]), family=sm.families.Gamma(sm.families.links.Log())).fit()
    freiburg = frame[frame["site"] == "Freiburg"]["kwh"].reset_index(drop=True)
    smooth = ExponentialSmoothing(freiburg, trend="add", initialization_method="estimated").fit()
    rows = ols.summary().as_csv().count("\n")
    return {"r2": round(float(ols.rsquared), 2), "terms": sorted(ols.params.index), "dispersion": float(glm.scale) < 1,
            "forecast": len(smooth.forecast(3)), "stationary": bool(adfuller(freiburg, maxlag=2, autolag=None, result_object=False)[1] < 0.05), "summary": rows > 20}


def export(folder, data, daily):
    daily.write_parquet(folder / "daily.parquet")
    assert pl.scan_parquet(folder / "daily.parquet").select(pl.len()).collect().item() == len(daily)
    cube = xr.Dataset.from_dataframe(daily.to_pandas().assign(day=lambda d: pd.to_datetime(d["day"])).set_index(["site", "day"])[["kwh", "ghi"]])
    sizes = []
    for engine in ("netcdf4", "h5netcdf"):
        cube.to_netcdf(folder / f"{engine}.nc", engine=engine)
        with xr.open_dataset(folder / f"{engine}.nc", engine=engine) as again:
            sizes.append((engine, dict(again.sizes)))
    fig, axis = plt.subplots(figsize=(5, 3))
    for (name,), part in daily.group_by("site", maintain_order=True):
        axis.plot(part["day"], part["kwh"], label=name)
    axis.set_ylabel("kWh")
    axis.legend()
    for suffix in ("png", "svg", "pdf"):
        fig.savefig(folder / f"yield.{suffix}")
    plt.close(fig)
    return sizes, sorted(p.name for p in folder.iterdir() if p.stat().st_size > 500)


@app.command()
def models():
    """Databases and models by name."""
    for name in ("CECMod", "SandiaMod", "CECInverter", "ADRInverter"):
        typer.echo(f"{name}: {pvlib.pvsystem.retrieve_sam(name).shape[1] > 100}")
    spot = Location(32.22, -110.97, "America/Phoenix", 728)
    when = pd.DatetimeIndex(["2023-06-21 12:00"], tz="America/Phoenix")
    for name in ("ineichen", "haurwitz", "simplified_solis"):
        typer.echo(f"{name}: {float(spot.get_clearsky(when, model=name)['ghi'].iloc[0]):.0f} W/m2")
    typer.echo(f"turbidity {float(pvlib.clearsky.lookup_linke_turbidity(when, 32.22, -110.97).iloc[0]):.1f}, altitude {pvlib.location.lookup_altitude(32.22, -110.97) > 500}")


@app.command()
def run():
    """Simulate all sites and write the reports."""
    settings, plant = Settings(), load_plant()
    frames = [simulate(site, settings, plant.losses) for site in plant.sites]
    data, daily = tables(frames)
    best = daily.group_by("site", "month").agg(pl.col("kwh").sum()).sort("kwh", descending=True).group_by("site", maintain_order=True).first()
    rows = (daily.group_by("site").agg(pl.col("kwh").sum(), pl.len().alias("days"))
            .join(best.select("site", pl.col("month").alias("best")), on="site").sort("site").to_dicts())
    typer.echo(Environment(autoescape=False).from_string(REPORT).render(rows=rows).strip())
    fit = regression(daily)
    typer.echo(f"regression {fit}")
    with tempfile.TemporaryDirectory() as folder:
        sizes, files = export(Path(folder), data, daily)
    typer.echo(f"exports {sizes} {files}")


def main():
    for command in (["models"], ["run"]):
        app(command, standalone_mode=False)
    try:
        Plant.model_validate({"sites": [{"name": "x", "latitude": 95, "longitude": 0, "timezone": "Mars/Base", "arrays": []}]})
    except ValidationError as exc:
        print("rejected", sorted(".".join(map(str, e["loc"])) for e in exc.errors()))
    print("OK solar yield of", len(load_plant().sites), "sites")


if __name__ == "__main__":
    main()
