"""The sky above the observatory, and the survey's own measurements."""
from pathlib import Path

import asdf
import astropy.units as u
import matplotlib
import numpy as np
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body
from astropy.cosmology import Planck18, available
from astropy.io import fits
from astropy.modeling import fitting, models
from astropy.table import QTable, Table
from astropy.time import Time
from astropy.timeseries import LombScargle, TimeSeries
from astropy.visualization import ImageNormalize, SqrtStretch, ZScaleInterval
from astropy.wcs import WCS

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def night(stars: SkyCoord, names: list[str]) -> tuple[list[str], str]:
    site = EarthLocation.from_geodetic(lon=-70.4045 * u.deg, lat=-24.6272 * u.deg, height=2635 * u.m)
    frame = AltAz(obstime=Time("2024-01-15T03:00:00", location=site), location=site, pressure=740 * u.hPa)
    altitude = stars.transform_to(frame).alt
    up = [name for name, alt in zip(names, altitude) if alt > 30 * u.deg]
    moon = get_body("moon", frame.obstime, site, ephemeris="builtin")
    return up, moon.get_constellation()


def formats(table: QTable, folder: Path) -> tuple[int, int]:
    """Through the file formats of astronomy and back."""
    rows = 0
    for name, form in (("s.fits", "fits"), ("s.vot", "votable"), ("s.ecsv", "ascii.ecsv"), ("s.html", "ascii.html"), ("s.tbl", "ascii.ipac"), ("s.txt", "ascii.fixed_width"), ("s.cds", "ascii.csv")):
        table.write(folder / name, format=form, overwrite=True)
        back = Table.read(folder / name, format=form)
        assert abs(float(np.sum(back["ra"])) - float(table["ra"].sum().value)) < 1e-4, name
        rows += len(back)
    tree = {"table": table, "time": Time("2024-01-15T03:00:00"), "model": models.Gaussian1D(3, 1, 0.5), "speed": 3 * u.km / u.s, "place": SkyCoord(10 * u.deg, 20 * u.deg, frame="galactic")}
    asdf.AsdfFile(tree).write_to(folder / "s.asdf", all_array_compression="zlib")
    with asdf.open(folder / "s.asdf") as stored:
        assert stored["place"].frame.name == "galactic" and stored["model"].mean == 1 and stored["time"].isot.startswith("2024-01-15")
        return rows, len(stored["table"])


def measure() -> tuple[float, float, float, int]:
    random = np.random.default_rng(7)
    days = np.sort(random.uniform(0, 30, 150))
    series = TimeSeries(time=Time("2024-01-01") + days * u.day, data={"flux": (1 + 0.2 * np.sin(2 * np.pi * days / 2.5)) * u.Jy})
    frequency, power = LombScargle(series.time, series["flux"]).autopower(maximum_frequency=2 / u.day)
    period = (1 / frequency[np.argmax(power)]).to_value(u.day)
    line = fitting.LinearLSQFitter()(models.Polynomial1D(1), np.arange(10.0), 3 * np.arange(10.0) + 2)
    hubble = Planck18.H(1.0).to_value(u.km / u.s / u.Mpc)
    return round(float(period), 2), round(float(line.c1.value), 6), round(float(hubble), 2), len(available)


def picture(folder: Path) -> tuple[str, int]:
    wcs = WCS(naxis=2)
    wcs.wcs.crpix, wcs.wcs.cdelt, wcs.wcs.crval, wcs.wcs.ctype = [50, 50], [-0.1, 0.1], [80, 20], ["RA---TAN", "DEC--TAN"]
    y, x = np.mgrid[:100, :100]
    image = models.Gaussian2D(10, 30, 60, 4, 6)(x, y) + models.Gaussian2D(5, 70, 20, 3, 3)(x, y)
    fits.CompImageHDU(image.astype("f4"), header=wcs.to_header(), compression_type="RICE_1").writeto(folder / "field.fits")
    with fits.open(folder / "field.fits") as opened:
        sky = WCS(opened[1].header).pixel_to_world(30, 60)
        norm = ImageNormalize(opened[1].data, interval=ZScaleInterval(), stretch=SqrtStretch())
        figure = plt.figure(figsize=(4, 4))
        axes = figure.add_subplot(projection=wcs)
        axes.imshow(opened[1].data, norm=norm, origin="lower")
        axes.coords.grid(color="white")
        axes.set_xlabel(r"$\alpha_{2000}$")
        for ending in ("png", "pdf", "svg"):
            figure.savefig(folder / f"field.{ending}")
        plt.close(figure)
    return sky.to_string("hmsdms", precision=0), sum((folder / f"field.{ending}").stat().st_size > 5000 for ending in ("png", "pdf", "svg"))
