from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

ENV = Environment(
    loader=FileSystemLoader(Path(__file__).resolve().parent.parent / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
)


def run_step(context):
    app = context["i"]
    text = ENV.get_template(f"{app}.conf.j2").render(context["facts"])
    out = Path(context["outDir"]) / f"{context['shortName']}-{app}.conf"
    out.write_text(text)
    context.setdefault("rendered", []).append(out.name)
