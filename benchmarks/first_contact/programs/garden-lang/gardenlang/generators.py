from pathlib import Path

import orjson
from textx import textx_isinstance
from textxjinja import textx_jinja_generator

TEMPLATES = Path(__file__).parent / "templates"


def generate_arduino(metamodel, model, output_path, overwrite, debug, **custom):
    context = {"zone": list(model.zones), "model": model, "board": custom.get("board", "uno")}
    textx_jinja_generator(str(TEMPLATES), output_path, context, overwrite,
                          filters={"macro": lambda s: s.upper()}, transform_names=lambda z: z.name)


def generate_manifest(metamodel, model, output_path, overwrite, debug, **custom):
    zone_class = metamodel["Zone"]
    body = {"zones": [{"name": z.name, "valve": z.valve, "litres": z.flow, "rules": [
        {"sensor": r.sensor.name, "op": r.op, "limit": r.limit, "seconds": r.duration.seconds} for r in z.rules]}
        for z in model.zones if textx_isinstance(z, zone_class)],
        "schedules": [{"name": s.name, "at": s.at, "zones": [z.name for z in s.zones],
                       "seconds": s.duration.seconds} for s in model.schedules]}
    target = Path(output_path) / "manifest.json"
    target.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
