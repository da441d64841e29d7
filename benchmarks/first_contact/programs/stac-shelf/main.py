"""A shelf of satellite scenes: STAC items by PySTAC, checked against its local schemas, written as GeoParquet by rustac, searched, zones by tzfpy."""
import asyncio
import json
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import orjson
import pystac
import rustac
import tzfpy
from geoarrow.rust.core import from_shapely, to_wkb, points
from pystac.extensions.eo import Band, EOExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.layout import TemplateLayoutStrategy
from pystac.validation import RegisteredValidator
from shapely.geometry import Point, box, mapping, shape

PLACES = {"berlin": (13.4, 52.5), "lima": (-77.0, -12.0), "tokyo": (139.7, 35.7), "pole": (10.0, 89.0)}


def item(i, name, lon, lat):
    area = box(lon - 0.5, lat - 0.5, lon + 0.5, lat + 0.5)
    it = pystac.Item(f"scene-{name}", mapping(area), list(area.bounds), datetime(2026, 1, 1 + i, tzinfo=timezone.utc), {"platform": "s2", "tz": tzfpy.get_tz(lon, lat)})
    it.add_asset("data", pystac.Asset(f"./{name}.tif", media_type=pystac.MediaType.COG, roles=["data"]))
    eo = EOExtension.ext(it, add_if_missing=True)
    eo.cloud_cover = 10.0 * i
    eo.bands = [Band.create("B1", common_name="red")]
    ProjectionExtension.ext(it, add_if_missing=True).epsg = 4326
    return it


async def store(items, folder):
    path = str(folder / "items.parquet")
    await rustac.write(path, [i.to_dict(include_self_link=False, transform_hrefs=False) for i in items])
    cloudy = await rustac.read(path)
    nd = str(folder / "items.ndjson")
    await rustac.write(nd, cloudy["features"])
    lines = [orjson.loads(x) for x in Path(nd).read_text().splitlines()]
    return len(cloudy["features"]), sorted(x["id"] for x in lines)


def main():
    items = [item(i, n, *xy) for i, (n, xy) in enumerate(PLACES.items())]
    cat = pystac.Catalog("shelf", "All scenes")
    extent = pystac.Extent(pystac.SpatialExtent([[-180, -90, 180, 90]]), pystac.TemporalExtent([[datetime(2026, 1, 1, tzinfo=timezone.utc), None]]))
    col = pystac.Collection("s2", "Scenes", extent, license="CC-BY-4.0")
    col.add_items(items)
    cat.add_child(col)
    with tempfile.TemporaryDirectory() as t:
        t = Path(t)
        cat.normalize_and_save(str(t / "cat"), pystac.CatalogType.SELF_CONTAINED, strategy=TemplateLayoutStrategy(item_template="${year}"))
        again = pystac.read_file(str(t / "cat/catalog.json"))
        found = [i.id for i in again.get_items(recursive=True)]
        n, ids = asyncio.run(store(items, t))
    core = items[0].to_dict(include_self_link=False)
    core["stac_extensions"] = []
    core["links"] = []
    core.pop("collection", None)
    checked = RegisteredValidator.get_validator().validate(core, pystac.STACObjectType.ITEM, core["stac_version"], [])
    broken = json.loads(json.dumps(core))
    broken["properties"]["datetime"] = 5
    try:
        RegisteredValidator.get_validator().validate(broken, pystac.STACObjectType.ITEM, core["stac_version"], [])
        bad = False
    except pystac.STACValidationError:
        bad = True
    arr = from_shapely([shape(i.geometry) for i in items])
    near = [i.id for i in items if shape(i.geometry).intersects(Point(13.3, 52.2))]
    old = rustac.migrate({**core, "stac_version": "1.0.0"}, "1.1.0")["stac_version"]
    span = items[-1].datetime - items[0].datetime == timedelta(days=3)
    print("OK", len(found), n, ids[0], len(checked), bad, len(arr), near, [i.properties["tz"] for i in items][:3], old, span, len(to_wkb(arr)), points is not None)


if __name__ == "__main__":
    main()
