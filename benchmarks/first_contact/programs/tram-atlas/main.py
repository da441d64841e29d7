"""Builds an atlas of a tram network: graph measures, hexagon demand, tiles, tracks and topology."""
import tempfile
from pathlib import Path
from typing import Literal

import gpxpy
import gpxpy.gpx
import igraph as ig
import mapclassify
import mercantile
import numpy as np
import polars as pl
import polars_h3 as plh3
import polyline
import topojson
from geojson_pydantic import Feature, FeatureCollection, LineString, Point, Polygon
from geojson_pydantic.geometries import parse_geometry_obj
from pydantic import BaseModel, Field, ValidationError
from shapely.geometry import Point as ShapelyPoint, shape

DATA = Path(__file__).resolve().parent / "data"


class District(BaseModel):
    district: str = Field(pattern="^[A-Z]$")
    people: int = Field(gt=0)


class StopInfo(BaseModel):
    name: str
    riders: int
    level: Literal["quiet", "normal", "busy", "hub"]


Districts = FeatureCollection[Feature[Polygon, District]]


def load():
    stops = pl.read_csv(DATA / "stops.csv")
    links = pl.read_csv(DATA / "links.csv")
    districts = Districts.model_validate_json((DATA / "districts.geojson").read_text())
    return stops, links, districts


def network(stops: pl.DataFrame, links: pl.DataFrame) -> ig.Graph:
    graph = ig.Graph.DictList(vertices=stops.to_dicts(), edges=links.to_dicts(), directed=False,
                              vertex_name_attr="stop_id", edge_foreign_keys=("origin", "target"))
    print(graph.summary().splitlines()[0].replace("IGRAPH ", "graph ")[:40])
    between = graph.betweenness(weights="minutes")
    order = sorted(range(graph.vcount()), key=lambda i: (-between[i], graph.vs[i]["stop_id"]))
    print("central stops:", [graph.vs[i]["stop_id"] for i in order[:4]])
    print("diameter", graph.diameter(weights="minutes"), "min; bridges", len(graph.bridges()),
          "articulation", len(graph.articulation_points()))
    clusters = graph.community_multilevel(weights=[1 / m for m in graph.es["minutes"]]).membership
    print("communities > 2:", max(clusters) + 1 > 2, "modularity > 0.4:",
          graph.modularity(clusters) > 0.4)
    return graph


def route(graph: ig.Graph, a: str, b: str) -> tuple[list[str], int]:
    start, goal = graph.vs.find(stop_id=a), graph.vs.find(stop_id=b)
    path = graph.get_shortest_path(start, goal, weights="minutes", output="epath")
    lines = []
    for e in path:
        if not lines or lines[-1] != graph.es[e]["line"]:
            lines.append(graph.es[e]["line"])
    return lines, sum(graph.es[e]["minutes"] for e in path)


def hexagons(stops: pl.DataFrame):
    cells = (stops.with_columns(plh3.latlng_to_cell("lat", "lon", 8, return_dtype=pl.Utf8).alias("cell"))
             .group_by("cell").agg(pl.col("riders").sum(), pl.len().alias("stops"))
             .with_columns(plh3.cell_to_parent("cell", 6).alias("parent"),
                           plh3.cell_to_lat("cell").round(4).alias("lat"),
                           plh3.cell_to_lng("cell").round(4).alias("lon"),
                           plh3.cell_area("cell", unit="km^2").alias("km2"),
                           plh3.grid_disk("cell", 1).list.len().alias("around"))
             .sort("riders", "cell", descending=[True, False]))
    top = cells.row(0, named=True)
    print(f"{cells.height} cells, busiest {top['cell']} with {top['riders']} riders, {top['around']} around")
    parents = cells.group_by("parent").agg(pl.col("riders").sum()).sort("riders", descending=True)
    print("parents:", parents.height, "share of first:", round(parents["riders"][0] / parents["riders"].sum(), 3))
    ids = cells.select(plh3.str_to_int("cell").alias("id"))
    distance = cells.head(2).select(plh3.grid_distance(pl.col("cell").first(), pl.col("cell").last())).item()
    print("valid:", ids.select(plh3.is_valid_cell("id").all()).item(), "grid distance of the two busiest:", distance)
    return cells


def classify(stops: pl.DataFrame) -> pl.DataFrame:
    values = stops["riders"].to_numpy()
    for cls in (mapclassify.Quantiles, mapclassify.FisherJenks, mapclassify.HeadTailBreaks):
        result = cls(values, k=4) if cls is not mapclassify.HeadTailBreaks else cls(values)
        print(f"{result.name}: bins {[int(b) for b in result.bins]} counts {[int(c) for c in result.counts]}")
    best = mapclassify.FisherJenks(values, k=4)
    levels = np.array(["quiet", "normal", "busy", "hub"])
    return stops.with_columns(pl.Series("level", levels[best.yb]))


def main():
    stops, links, districts = load()
    graph = network(stops, links)
    journeys = {(a, b): route(graph, a, b) for a, b in (("S01", "S40"), ("S03", "S17"), ("S14", "S30"))}
    for (a, b), (lines, minutes) in journeys.items():
        print(f"{a} -> {b}: {' > '.join(lines)} in {minutes} min")
    cells = hexagons(stops)
    stops = classify(stops)

    features = [Feature[Point, StopInfo](type="Feature", id=r["stop_id"], geometry=Point.create(coordinates=(r["lon"], r["lat"])),
                                         properties=StopInfo(**r)) for r in stops.to_dicts()]
    collection = FeatureCollection[Feature[Point, StopInfo]](type="FeatureCollection", features=features)
    print("collection:", collection.length if hasattr(collection, "length") else len(collection.features),
          features[0].geometry.wkt)
    for district in districts.features:
        outline = shape(district.geometry)
        inside = [f for f in features if outline.contains(ShapelyPoint(*f.geometry.coordinates))]
        print(f"district {district.properties.district}: {len(inside)} stops,"
              f" {sum(f.properties.riders for f in inside) / district.properties.people:.3f} riders per head")
    try:
        Districts.model_validate({"type": "FeatureCollection", "features": [
            {"type": "Feature", "properties": {"district": "z", "people": 1}, "geometry":
                {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1]]]}}]})
    except ValidationError as exc:
        print("refused:", sorted(".".join(str(p) for p in e["loc"][2:]) for e in exc.errors()))
    print("parsed:", type(parse_geometry_obj({"type": "LineString", "coordinates": [[0, 0], [1, 2]]})).__name__)

    topo = topojson.Topology(districts.model_dump(exclude_none=True, mode="json"), prequantize=1000, shared_coords=True)
    print("topology arcs:", len(topo.to_dict()["arcs"]), "simplified:", len(topo.toposimplify(0.001).to_dict()["arcs"]))

    gpx = gpxpy.parse((DATA / "inspection.gpx").read_text())
    track = gpx.tracks[0]
    moving, length = track.get_moving_data(), track.length_2d()
    up, down = track.get_uphill_downhill()
    print(f"{track.name}: {length / 1000:.2f} km, {moving.max_speed * 3.6:.1f} km/h, up {up:.0f} m, down {down:.0f} m")
    points = [(p.latitude, p.longitude) for p in gpx.walk(only_points=True)]
    code = polyline.encode(points, 5)
    print("polyline:", code[:14], np.allclose(polyline.decode(code, 5), points, atol=1e-5))
    gpx.simplify(40)
    line = LineString(type="LineString", coordinates=[(lon, lat) for lat, lon in points])
    box = shape(line).bounds
    tiles = list(mercantile.tiles(*box, zooms=[11, 13]))
    print("tiles:", len(tiles), mercantile.quadkey(tiles[0]), mercantile.parent(tiles[-1]),
          len(mercantile.simplify(tiles)), mercantile.feature(tiles[0])["geometry"]["type"])
    with tempfile.TemporaryDirectory() as tmp:
        out = Path(tmp)
        graph.write_graphml(str(out / "network.graphml"))
        again = ig.Graph.Read_GraphML(str(out / "network.graphml"))
        (out / "stops.geojson").write_text(collection.model_dump_json())
        cells.write_parquet(out / "cells.parquet")
        (out / "simple.gpx").write_text(gpx.to_xml("1.1"))
        back = pl.scan_parquet(out / "cells.parquet").select(pl.col("riders").sum()).collect().item()
        print("reloaded:", again.isomorphic(graph), back == stops["riders"].sum(), len(list(out.iterdir())), "files")
    print(f"OK {graph.vcount()} stops, {graph.ecount()} links, {cells.height} hexagons")


if __name__ == "__main__":
    main()
