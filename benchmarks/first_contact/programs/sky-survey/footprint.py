"""Where the survey has looked: coverage maps on the HEALPix grid, in space and in time."""
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import Latitude, Longitude, SkyCoord
from astropy.time import Time, TimeDelta
from cdshealpix.nested import cone_search, external_neighbours, healpix_to_skycoord, lonlat_to_healpix
from mocpy import MOC, STMOC, TimeMOC
from regions import CircleSkyRegion, PolygonSkyRegion, Regions


def fields() -> tuple[MOC, MOC]:
    north = MOC.from_cone(Longitude(80 * u.deg), Latitude(20 * u.deg), radius=30 * u.deg, max_depth=7)
    corners = SkyCoord([60, 130, 130, 60] * u.deg, [-60, -60, 5, 5] * u.deg)
    return north, MOC.from_polygon_skycoord(corners, max_depth=7)


def combine(folder: Path) -> dict[str, float | int | str]:
    north, south = fields()
    both, common = north.union(south), north.intersection(south)
    path = folder / "survey.fits"
    both.save(path, format="fits")
    again = MOC.load(path, format="fits")
    assert again == both and MOC.from_string(common.to_string(format="ascii"), format="ascii") == common
    assert MOC.from_json(north.serialize(format="json")) == north
    nights = TimeMOC.from_time_ranges(Time([60000.0, 60010.0], format="mjd", scale="tdb"), Time([60000.5, 60010.25], format="mjd", scale="tdb"), delta_t=TimeDelta(60, format="sec", scale="tdb"))
    when = Time(np.linspace(60000, 60010, 12), format="mjd", scale="tdb")
    spacetime = STMOC.from_times_positions(when, 20, Longitude(np.linspace(60, 120, 12) * u.deg), Latitude(np.zeros(12) * u.deg), 7)
    return {
        "sky": round(both.sky_fraction, 5),
        "common": round(common.sky_fraction, 5),
        "pieces": both.split_count(),
        "hours": round(float(nights.total_duration.to_value(u.hour)), 1),
        "folded": len(spacetime.query_by_space(south).to_string().split()),
    }


def cells(stars: SkyCoord) -> tuple[int, int, float]:
    index = lonlat_to_healpix(Longitude(stars.ra), Latitude(stars.dec), depth=5)
    around, depths, full = cone_search(Longitude(stars.ra[0]), Latitude(stars.dec[0]), radius=4 * u.deg, depth=6)
    edges, corners = external_neighbours(int(index[0]), depth=5, delta_depth=2)
    centres = healpix_to_skycoord(index, depth=5)
    return len(around), edges.size + corners[corners >= 0].size, round(float(centres.separation(stars).max().arcmin), 1)


def shapes(folder: Path) -> int:
    centre = SkyCoord(80 * u.deg, 20 * u.deg)
    regions = Regions([CircleSkyRegion(centre, 2 * u.deg), PolygonSkyRegion(SkyCoord([1, 2, 2] * u.deg, [1, 1, 2] * u.deg))])
    total = 0
    for name, form in (("fields.reg", "ds9"), ("fields.crtf", "crtf")):
        regions.write(folder / name, format=form, overwrite=True)
        back = Regions.read(folder / name, format=form)
        assert abs(back[0].radius.to_value(u.deg) - 2) < 1e-6
        total += len(back)
    return total
