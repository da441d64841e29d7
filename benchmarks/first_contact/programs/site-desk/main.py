"""The repair shop's site: Pyramid set up from an ini file, pages by Jinja2, forms by Deform and Colander, JSON by Cornice, pydantic and orjson, SQLAlchemy under pyramid_tm. Called with an address it serves by Waitress, without arguments it goes through the shop's day by WebTest."""
import argparse
import re
import sys
from pathlib import Path

from pyramid.paster import get_app, get_appsettings, setup_logging
from pyramid.scripting import prepare
from webtest import TestApp

INI = str(Path(__file__).resolve().parent / "site.ini")


def serve(listen):
    from waitress import serve as run

    setup_logging(INI)
    run(get_app(INI, "main"), listen=listen)


def intake(shop):
    """Mia takes in three items: two over the JSON interface, one over the form."""
    refused = shop.post_json("/api/tickets", {"item": "Lamp", "price": "9.50", "due": "2024-05-02"}, status=403)
    print("before login", refused.json)
    shop.post("/login/mia", status=302)
    print("welcome", shop.get("/").html.find("p", "flash").text)
    for item, price, due, note in [
        ("Floor lamp", "19.50", "2024-05-09", 'new <b>switch</b> <script>alert(1)</script><a href="http://x.example">x</a>'),
        ("Wall clock", "1240", "2024-05-02", "strikes <i>thirteen</i>"),
    ]:
        made = shop.post_json("/api/tickets", {"item": item, "price": price, "due": due, "note": note}, status=201)
        print("made", made.json)
    bad = shop.post_json("/api/tickets", {"item": "x", "price": "-1", "due": "2024-02-30"}, status=400)
    print("bad", bad.json["errors"])

    page = shop.get("/tickets/new")
    form = page.forms["deform"]
    print("form", sorted(k for k in form.fields if k and not k.startswith("_")), form["status"].value)
    form["item"], form["price"] = "Radio", "0.20"
    failed = form.submit("save", status=422)
    print("form errors", sorted(e.text.strip() for e in failed.html.select("p.help-block, .error-msg-detail, .invalid-feedback") if e.text.strip()))
    form = failed.forms["deform"]
    form["price"] = "85.00"
    for name in form.fields:
        if name == "date":
            form[name] = "2024-05-20"
    return form.submit("save", status=302).follow()


def pages(shop):
    first = shop.get("/", status=200)
    print("title", first.html.title.text, "|", first.html.h1.text, "|", [" ".join(li.text.split()) for li in first.html("li")])
    second = first.click("more")
    print("next", [(li["class"], li.a["href"]) for li in second.html("li")])
    print("note", shop.get("/tickets/1").html.find("div", "note").decode_contents())
    print("missing", shop.get("/tickets/99", status=404).json, shop.get("/nowhere", status=404).json)
    css = shop.get("/deform/css/form.css")
    print("static", css.content_type, "deform" in css.text)


def interface(shop):
    waiting = shop.get("/api/tickets?status=waiting").json["tickets"]
    print("waiting", [t["item"] for t in waiting])
    wrong = shop.get("/api/tickets?limit=500", status=400).json
    print("limit", [(e["location"], e["name"]) for e in wrong["errors"]])
    cors = shop.options("/api/tickets", headers={"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"})
    print("cors", cors.headers["Access-Control-Allow-Origin"], sorted(cors.headers["Access-Control-Allow-Methods"].split(",")))
    print("method", shop.delete("/api/tickets", status=405).status)


def reports(shop):
    denied = shop.get("/report.json", status=403).json
    shop.post("/login/otto", status=302)
    rows = shop.get("/report.json").json
    table = shop.get("/report.csv")
    print("report", denied, len(rows), table.content_type, table.text.splitlines()[-1])
    print(shop.get("/report.txt").text)
    return sum(r["price"] for r in rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen")
    options = parser.parse_args()
    if options.listen:
        return serve(options.listen)
    settings = get_appsettings(INI, "main")
    print("settings", settings["workshop.title"], re.split(r"\s+", settings["pyramid.includes"].strip()))
    app = get_app(INI, "main")
    shop = TestApp(app)
    after = intake(shop)
    print("after", after.html.find("p", "flash").text)
    pages(shop)
    interface(shop)
    total = reports(shop)
    with prepare(registry=app.registry) as env:
        print("routes", env["request"].route_path("report", ext="csv"), env["request"].route_url("ticket", id=3))
    assert total == 1950 + 124000 + 8500, total
    print("OK", total)


if __name__ == "__main__":
    sys.exit(main())
