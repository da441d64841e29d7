"""A panel of gauges in NiceGUI: pages, bindings, a chart, an upload; mounted on FastAPI and asked for over HTTP by a client."""
import asyncio
import io
import logging
import socket
import tempfile
import threading
import time
from pathlib import Path

import httpx
import orjson
import uvicorn
from fastapi import FastAPI
from nicegui import app, binding, ui
from pydantic import BaseModel, Field

folder = Path(tempfile.mkdtemp())
(folder / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
api = FastAPI()


class Reading(BaseModel):
    name: str
    value: float = Field(ge=0, le=100)


@binding.bindable_dataclass
class Model:
    value: float = 20.0
    name: str = "boiler"


model = Model()


@api.post("/readings")
def reading(r: Reading):
    model.value = r.value
    return {"shown": model.value}


@ui.page("/gauges")
def gauges():
    ui.page_title("Gauges")
    with ui.header():
        ui.label("Gauges").classes("text-lg")
    with ui.row():
        ui.knob(model.value, max=100, show_value=True).bind_value(model, "value")
        ui.circular_progress(model.value, max=100)
        ui.image("/files/logo.svg")
    with ui.tabs() as tabs:
        one, two = ui.tab("chart"), ui.tab("table")
    with ui.tab_panels(tabs, value=one):
        with ui.tab_panel(one):
            ui.echart({"xAxis": {"type": "category"}, "yAxis": {}, "series": [{"type": "line", "data": [1, 2, 3]}]})
        with ui.tab_panel(two):
            ui.table(rows=[{"a": 1}, {"a": 2}])
            ui.aggrid({"columnDefs": [{"field": "a"}], "rowData": [{"a": 1}]})
    ui.markdown("**bold** and `code`\n\n```python\nx = 1\n```")
    ui.codemirror("x = 1", language="Python")
    ui.json_editor({"content": {"json": {"x": 1}}})
    ui.leaflet(center=(51.5, -0.09))
    ui.upload(on_upload=lambda e: None)
    ui.timer(10, lambda: None)


@ui.page("/slow")
async def slow():
    await asyncio.sleep(0.01)
    ui.mermaid("graph LR; a-->b")
    ui.restructured_text("*emphasis*")


def main():
    logging.disable(logging.ERROR)
    app.add_static_files("/files", folder)
    ui.run_with(api, title="Panel", storage_secret="x" * 20)
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(api, log_level="critical"))
    t = threading.Thread(target=server.run, kwargs={"sockets": [s]})
    t.start()
    while not server.started:
        time.sleep(0.05)
    with httpx.Client(base_url=f"http://127.0.0.1:{s.getsockname()[1]}", trust_env=False) as c:
        shown = c.post("/readings", content=orjson.dumps({"name": "boiler", "value": 42}), headers={"content-type": "application/json"}).json()
        bad = c.post("/readings", json={"name": "x", "value": 500}).status_code
        page = c.get("/gauges")
        slow_page = c.get("/slow")
        logo = c.get("/files/logo.svg")
        links = [x.split('"')[0] for x in page.text.split('href="')[1:]] + [x.split('"')[0] for x in page.text.split('src="')[1:]]
        assets = {u: c.get(u).status_code for u in links if u.startswith("/_nicegui")}
        missing = c.get("/nothing").status_code
    server.should_exit = True
    t.join()
    assert page.status_code == 200 and "Gauges" in page.text and slow_page.status_code == 200, page.text[:300]
    bad_assets = [u for u, code in assets.items() if code != 200]
    print("OK", shown, bad, logo.status_code, len(assets) > 3, bad_assets, missing, len(io.StringIO(page.text).read()) > 1000)


if __name__ == "__main__":
    main()
