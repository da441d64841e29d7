"""Hexagons of a city: GeoPandas layers written by pyogrio in two formats, reprojected, H3 cells from h3ronpy and from h3, counted in Polars."""
import tempfile
from pathlib import Path

import geopandas as gpd
import h3
import polars as pl
import pyarrow as pa
from h3ronpy import cells_parse, cells_resolution
from h3ronpy.vector import coordinates_to_cells
from shapely.geometry import Point, Polygon


def main():
    d = Path(tempfile.mkdtemp())
    pts = [(13.38 + i / 300, 52.51 + j / 300) for i in range(6) for j in range(6)]
    frame = gpd.GeoDataFrame({"n": range(len(pts))}, geometry=[Point(*p) for p in pts], crs=4326)
    park = gpd.GeoDataFrame({"name": ["park"]}, geometry=[Polygon([(13.379, 52.509), (13.39, 52.509), (13.39, 52.52), (13.379, 52.52)])], crs=4326)
    frame.to_file(d / "pts.gpkg", layer="pts")
    park.to_file(d / "park.geojson", driver="GeoJSON")
    back = gpd.read_file(d / "pts.gpkg")
    inside = gpd.sjoin(back, gpd.read_file(d / "park.geojson"), predicate="within")
    metric = park.to_crs(25833)
    area = round(float(metric.area.iloc[0]) / 1e4)
    cells = pa.array(coordinates_to_cells(pa.array([p[1] for p in pts]), pa.array([p[0] for p in pts]), 8))
    mine = [h3.str_to_int(h3.latlng_to_cell(lat, lon, 8)) for lon, lat in pts]
    counts = pl.DataFrame({"cell": pl.Series(mine, dtype=pl.UInt64)}).group_by("cell").len().sort("len")
    same = cells.to_pylist() == mine
    parsed = pa.array(cells_parse(pa.array([h3.int_to_str(mine[0])]))).to_pylist()
    print("OK", len(back), len(inside), area, same, counts["len"].sum(), parsed[0] == mine[0], metric.crs.name)


main()
