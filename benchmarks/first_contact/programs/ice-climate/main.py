"""A climate cube: Xarray written to an Icechunk repository through Zarr, branches and tags, a dask mean, an entry-point backend, interpolated and resampled."""
import tempfile

import icechunk
import numpy as np
import pandas as pd
import xarray as xr
import zarr


def cube():
    time = pd.date_range("2026-01-01", periods=60)
    lat = np.linspace(-30, 30, 5)
    data = 15 + np.sin(np.arange(60) / 9)[:, None] + lat[None] / 10
    return xr.Dataset({"t2m": (("time", "lat"), data, {"units": "C"})}, {"time": time, "lat": lat})


def main():
    repo = icechunk.Repository.create(icechunk.local_filesystem_storage(tempfile.mkdtemp()))
    session = repo.writable_session("main")
    cube().to_zarr(session.store, consolidated=False)
    first = session.commit("first")
    repo.create_tag("v1", snapshot_id=first)
    session = repo.writable_session("main")
    zarr.open_group(session.store)["t2m"][0, 0] = 99.0
    session.commit("one value")
    now = xr.open_zarr(repo.readonly_session("main").store, consolidated=False)
    then = xr.open_dataset(repo.readonly_session(tag="v1").store, engine="zarr", consolidated=False, chunks={})
    monthly = then["t2m"].resample(time="MS").mean().compute()
    between = float(then["t2m"].sel(lat=7.5, method="nearest").mean())
    log = [s.message for s in repo.ancestry(branch="main")]
    html = then._repr_html_()
    print("OK", float(now["t2m"][0, 0]), round(float(then["t2m"][0, 0]), 2), monthly.shape, round(between, 2), log, "zarr" in xr.backends.list_engines(), "<style>" in html)


main()
