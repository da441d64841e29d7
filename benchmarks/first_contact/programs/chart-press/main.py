"""Charts for print: Altair charts of Polars frames, rendered to SVG and PNG by vl-convert, a table by Great Tables, all in one HTML page."""
import json

import altair as alt
import polars as pl
import vl_convert as vlc
from great_tables import GT, loc, style
from jinja2 import Template


def main():
    frame = pl.DataFrame({"month": ["Jan", "Feb", "Mar"] * 2, "shop": ["north"] * 3 + ["south"] * 3, "sold": [3, 5, 8, 2, 7, 4]})
    bars = alt.Chart(frame).mark_bar().encode(x=alt.X("month:N", sort=None), y="sold:Q", color="shop:N")
    line = alt.Chart(frame).mark_line(point=True).encode(x=alt.X("month:N", sort=None), y="mean(sold):Q")
    both = alt.layer(bars, line).properties(title="Sold")
    spec = json.loads(both.to_json())
    svg = vlc.vegalite_to_svg(spec)
    png = vlc.vegalite_to_png(spec, scale=2)
    page = both.to_html()
    with alt.theme.enable("dark"):
        dark = both.to_dict()
    table = GT(frame.pivot("shop", index="month", values="sold")).tab_header("Sold").fmt_number(["north", "south"], decimals=1).tab_style(style.text(weight="bold"), loc.body(columns="north"))
    html = Template("<h1>{{ t }}</h1>{{ svg }}{{ table }}").render(t="Sold", svg=svg, table=table.as_raw_html())
    print("OK", svg.startswith("<svg"), svg.count("north"), png[:4], "vega-embed" in page, dark.get("usermeta", dark["config"]), "8.0" in html, html.count("<td"))


main()
