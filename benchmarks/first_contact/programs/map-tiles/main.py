"""Tiles of maps: a raster written by Rasterio, cut in tiles by rio-tiler in two grids of morecantile, an expression over bands, statistics in Pydantic models, shapes by Shapely, a page by Folium with a choropleth."""
import tempfile
import warnings
from pathlib import Path

import folium
import morecantile
import numpy as np
import rasterio
from folium.plugins import MarkerCluster
from rasterio.features import shapes
from rasterio.transform import from_bounds
from rasterio.warp import transform_bounds
from rio_tiler.colormap import cmap
from rio_tiler.io import Reader
from rio_tiler.models import BandStatistics
from shapely.geometry import mapping, shape
from shapely.ops import unary_union

BOUNDS = (10.0, 44.0, 11.0, 45.0)


def main():
    warnings.simplefilter("ignore")
    y, x = np.mgrid[0:256, 0:256]
    bands = np.stack([(x % 200), (y % 200), ((x - 128) ** 2 + (y - 128) ** 2 < 3600) * 100]).astype("uint8")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hills.tif"
        profile = {"driver": "GTiff", "width": 256, "height": 256, "count": 3, "dtype": "uint8", "crs": "EPSG:4326", "transform": from_bounds(*BOUNDS, 256, 256), "tiled": True, "blockxsize": 128, "blockysize": 128}
        with rasterio.open(path, "w", **profile) as out:
            out.write(bands)
            out.build_overviews([2, 4])
        with rasterio.open(path) as source:
            found = [shape(s) for s, v in shapes(source.read(3), transform=source.transform) if v > 0]
            meters = transform_bounds(source.crs, "EPSG:3857", *source.bounds)
        with Reader(str(path)) as image:
            info = image.info()
            stats = image.statistics()
            grid = image.tms.tile(10.5, 44.5, 9)
            tile = image.tile(grid.x, grid.y, grid.z, tilesize=128)
            png = tile.render(img_format="PNG", colormap=None)
            ratio = image.part(BOUNDS, expression="(b1-b2)/(b1+b2+1)", max_size=64)
            ratio.rescale(((-1, 1),))
            coloured = ratio.render(img_format="WEBP", colormap=cmap.get("viridis"))
            point = image.point(10.5, 44.5).array.tolist()
            feature = image.feature({"type": "Feature", "properties": {}, "geometry": mapping(found[0])}, max_size=32)
        with Reader(str(path), tms=morecantile.tms.get("WGS1984Quad")) as image:
            other = image.tms.tile(10.5, 44.5, 8), image.tms.crs.to_epsg() if hasattr(image.tms.crs, "to_epsg") else str(image.tms.crs)
    area = round(unary_union(found).area, 3)
    page = folium.Map([44.5, 10.5], zoom_start=8, tiles="CartoDB positron")
    collection = {"type": "FeatureCollection", "features": [{"type": "Feature", "id": "a", "properties": {"v": 1}, "geometry": mapping(found[0])}]}
    folium.Choropleth(collection, data={"a": 3, "b": 1}, key_on="feature.id", bins=3).add_to(page)
    MarkerCluster([[44.5, 10.5]]).add_to(page)
    html = page.get_root().render()
    print("OK", info.count, isinstance(stats["b1"], BandStatistics), tuple(grid), png[:4], coloured[:4], point, feature.count, [round(m) for m in meters], area, other[0].z, "leaflet" in html, len(morecantile.tms.list()) > 5)


main()
