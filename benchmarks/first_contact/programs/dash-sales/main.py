"""A board of sales: a Dash app with Bootstrap components, Plotly figures from Polars frames, callbacks, asked through the server's test client."""
import json

import dash
import dash_bootstrap_components as dbc
import plotly.express as px
import polars as pl
from dash import Input, Output, dcc, html
from pydantic import BaseModel


class Row(BaseModel):
    shop: str
    month: int
    n: float


ROWS = [Row(shop=s, month=m, n=m * k) for s, k in (("north", 1.5), ("south", 2)) for m in range(1, 7)]
FRAME = pl.DataFrame([r.model_dump() for r in ROWS])
app = dash.Dash(__name__, external_stylesheets=[dbc.themes.FLATLY], title="Sales")
app.layout = dbc.Container([html.H1("Sales"), dcc.Dropdown(["north", "south"], "north", id="shop"), dcc.Graph(id="g"), dash.dash_table.DataTable(FRAME.to_dicts(), id="t")])


@app.callback(Output("g", "figure"), Input("shop", "value"))
def draw(shop):
    return px.bar(FRAME.filter(pl.col("shop") == shop), x="month", y="n", template="plotly_white")


def main():
    web = app.server.test_client()
    index = web.get("/").get_data(as_text=True)
    layout = web.get("/_dash-layout").get_json()
    deps = web.get("/_dash-dependencies").get_json()
    body = {"output": "g.figure", "outputs": {"id": "g", "property": "figure"}, "inputs": [{"id": "shop", "property": "value", "value": "south"}], "changedPropIds": ["shop.value"]}
    answer = web.post("/_dash-update-component", json=body).get_json()
    figure = answer["response"]["g"]["figure"]
    scripts = [p.split('"')[0] for p in index.split('src="')[1:]]
    codes = sorted({web.get(s).status_code for s in scripts if s.startswith("/_dash-component-suites")})
    print("OK", layout["props"]["children"][0]["props"]["children"], len(deps), len(figure["data"]), figure["layout"]["template"]["layout"]["plot_bgcolor"], codes, json.dumps("Sales" in index))


main()
