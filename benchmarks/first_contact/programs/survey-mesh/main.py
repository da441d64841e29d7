"""Survey office tool: a lidar tile (LAS/LAZ) is classified, meshed, measured and written as DXF, STL, GLB and VTK."""
import io
import pathlib
import sys
import tempfile

import ezdxf
import laspy
import mapbox_earcut
import meshio
import networkx as nx
import numpy as np
import trimesh
from ezdxf import bbox, units, zoom
from ezdxf.addons.drawing import Frontend, RenderContext, layout, svg
from ezdxf.render.forms import circle
from laspy.vlrs.known import ExtraBytesVlr
from pydantic import BaseModel, Field, ValidationError
from rtree import index
from scipy.interpolate import griddata
from scipy.spatial import ConvexHull, Delaunay


class Job(BaseModel):
    tile: str = "north-1"
    step: float = Field(default=5.0, gt=0)
    size: int = Field(default=13, ge=4, le=200)
    roof: float = 12.0


def make_tile(job, path):
    """A synthetic field with a gentle slope and one building."""
    x, y = np.meshgrid(np.arange(job.size) * job.step, np.arange(job.size) * job.step)
    z = 100 + 0.05 * x + 2 * np.sin(y / 20)
    house = (x > 18) & (x < 42) & (y > 18) & (y < 42)
    z = np.where(house, 100 + job.roof, z)
    header = laspy.LasHeader(point_format=6, version="1.4")
    header.scales, header.offsets = [0.01] * 3, [0, 0, 0]
    header.add_extra_dim(laspy.ExtraBytesParams(name="height", type="float32", description="over ground"))
    las = laspy.LasData(header)
    las.x, las.y, las.z = x.ravel(), y.ravel(), z.ravel()
    las.classification = np.where(house, 6, 2).ravel().astype(np.uint8)
    las.height = (z - 100).ravel().astype(np.float32)
    las.write(path, laz_backend=laspy.LazBackend.LazrsParallel)


def read_tile(path):
    with laspy.open(path) as reader:
        parts = [np.array(chunk.classification) for chunk in reader.chunk_iterator(50)]
        print("tile", reader.header.point_count, reader.header.version, "chunks", len(parts), "backends", sorted(b.name for b in laspy.LazBackend.detect_available() if b.name.startswith("Lazrs")))
    las = laspy.read(path, laz_backend=laspy.LazBackend.Lazrs)
    extra = [type(v).__name__ for v in las.header.vlrs if isinstance(v, ExtraBytesVlr)]
    print("dims", list(las.point_format.extra_dimension_names), extra, "classes", {int(c): int(n) for c, n in zip(*np.unique(las.classification, return_counts=True))})
    back = io.BytesIO()
    laspy.convert(las, point_format_id=3).write(back, do_compress=False)
    print("las bytes", len(back.getvalue()), laspy.read(io.BytesIO(back.getvalue())).header.point_format.id)
    return las


def terrain(las):
    flat = Delaunay(np.column_stack([las.x, las.y]))
    ground = trimesh.Trimesh(vertices=np.asarray(las.xyz), faces=flat.simplices, process=True)
    print("terrain", len(ground.faces), round(float(ground.area), 1), ground.is_watertight, ground.body_count)
    hits, rays, tris = ground.ray.intersects_location([[31, 29, 500], [3, 3, 500], [-9, 0, 500]], [[0, 0, -1]] * 3)
    order = np.argsort(rays)
    print("heights", [(int(rays[i]), round(float(hits[i][2]), 2)) for i in order])
    cut = ground.section(plane_origin=[30, 0, 0], plane_normal=[1, 0, 0])
    print("profile", round(float(cut.length), 2), len(cut.entities))
    base = griddata(np.asarray(las.xyz)[las.classification == 2][:, :2], np.asarray(las.z)[las.classification == 2], (30.0, 30.0))
    print("ground below roof", round(float(base), 2))
    return ground


def building(las, job):
    points = np.asarray(las.xyz)[las.classification == 6][:, :2]
    outline = points[ConvexHull(points).vertices]
    triangles = mapbox_earcut.triangulate_float64(outline, np.array([len(outline)], dtype=np.uint32)).reshape(-1, 3)
    block = trimesh.creation.extrude_triangulation(outline, triangles, height=job.roof)
    print("block", round(float(block.volume), 1), block.is_watertight, block.euler_number, [round(float(e), 1) for e in block.extents])
    tower = trimesh.creation.cylinder(radius=2, height=6, sections=24).apply_translation([30, 30, job.roof + 3])
    scene = trimesh.Scene({"block": block, "tower": tower})
    for kind in ("stl", "ply", "obj", "off", "glb"):
        data = scene.export(file_type=kind) if kind == "glb" else block.export(file_type=kind)
        data = data.encode() if isinstance(data, str) else data
        again = trimesh.load(io.BytesIO(data), file_type=kind)
        print(" ", kind, type(again).__name__, len(again.geometry) if kind == "glb" else len(again.faces))
    graph = nx.from_edgelist(block.face_adjacency)
    print("adjacency", nx.number_connected_components(graph), nx.diameter(graph), len(block.facets))
    print("query", round(float(trimesh.proximity.signed_distance(block, [[30, 30, 5]])[0]), 2), block.contains([[30, 30, 5], [0, 0, 0]]).tolist())
    return outline, block


def lookup(las):
    tree = index.Index(((i, (x, y, x, y), None) for i, (x, y) in enumerate(zip(las.x, las.y))), interleaved=True)
    near = sorted(tree.nearest((31, 31, 31, 31), 1))
    print("rtree", near, tree.count((0, 0, 11, 11)))


def drawing(outline, folder, job):
    doc = ezdxf.new("R2018", setup=True)
    doc.units = units.M
    doc.layers.add("BUILDINGS", color=1, linetype="DASHED")
    doc.layers.add("TREES", color=3)
    block = doc.blocks.new("TREE")
    block.add_circle((0, 0), 1)
    block.add_attdef("KIND", (0, 1.5), dxfattribs={"height": 0.5})
    msp = doc.modelspace()
    msp.add_lwpolyline(outline, close=True, dxfattribs={"layer": "BUILDINGS"})
    hatch = msp.add_hatch(color=8)
    hatch.set_pattern_fill("ANSI31", scale=0.5)
    hatch.paths.add_polyline_path(outline, is_closed=True)
    for n, spot in enumerate(circle(3, radius=25)):
        msp.add_blockref("TREE", spot + (30, 30), dxfattribs={"layer": "TREES"}).add_auto_attribs({"KIND": f"oak {n}"})
    msp.add_linear_dim(base=(30, 10), p1=(20, 20), p2=(40, 20)).render()
    msp.add_mtext(f"Tile {job.tile}", dxfattribs={"char_height": 2, "insert": (0, 70)})
    zoom.extents(msp)
    audit = doc.audit()
    path = folder / "plan.dxf"
    doc.saveas(path)
    again = ezdxf.readfile(path)
    kinds = sorted({e.dxftype() for e in again.modelspace()})
    print("dxf", again.dxfversion, kinds, len(audit.errors), [i.get_attrib_text("KIND") for i in again.modelspace().query("INSERT")])
    box = bbox.extents(again.modelspace().query("LWPOLYLINE"))
    print("box", tuple(round(v, 1) for v in box.size))
    backend = svg.SVGBackend()
    Frontend(RenderContext(again), backend).draw_layout(again.modelspace())
    picture = backend.get_string(layout.Page(0, 0, layout.Units.mm, layout.Margins.all(5)))
    print("svg", picture.startswith("<?xml") or "<svg" in picture, picture.count("<path") > 5)
    try:
        ezdxf.readfile(__file__)
    except (ezdxf.DXFStructureError, OSError) as error:
        print("not a drawing", type(error).__name__)


def exchange(ground, folder):
    mesh = meshio.Mesh(ground.vertices, [("triangle", ground.faces)], point_data={"height": ground.vertices[:, 2]})
    for name in ("field.vtk", "field.vtu", "field.msh", "field.inp"):
        mesh.write(folder / name)
        back = meshio.read(folder / name)
        print(" ", name, len(back.points), [c.type for c in back.cells], sorted(back.point_data))


def main():
    job = Job.model_validate({"tile": sys.argv[1]} if sys.argv[1:] else {})
    try:
        Job(step=-1, size=2)
    except ValidationError as error:
        print("bad job", [e["loc"][0] for e in error.errors()])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        make_tile(job, folder / "tile.laz")
        las = read_tile(folder / "tile.laz")
        ground = terrain(las)
        outline, _ = building(las, job)
        lookup(las)
        drawing(outline, folder, job)
        exchange(ground, folder)
    print("OK survey-mesh")


if __name__ == "__main__":
    main()
