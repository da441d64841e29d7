"""A harvest: a Scrapy spider over a site served from a thread, item loaders, a pipeline and an exporter named by class path, Pydantic items, orjson lines."""
import json
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import scrapy
from itemloaders.processors import MapCompose, TakeFirst
from pydantic import BaseModel
from scrapy.crawler import CrawlerProcess
from scrapy.exporters import BaseItemExporter
from scrapy.loader import ItemLoader

PAGES = {"/": "<ul><li><a href='/a'>a</a><li><a href='/b'>b</a></ul>", "/a": "<h1> Apple </h1><b class=p>1.50</b>", "/b": "<h1>Bread</h1><b class=p>2.25</b>", "/robots.txt": "User-agent: *\nDisallow: /secret"}


class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        body = PAGES.get(self.path, "").encode()
        self.send_response(200 if body else 404)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *a):
        pass


class Good(BaseModel):
    name: str
    price: float


class Item(scrapy.Item):
    name = scrapy.Field(input_processor=MapCompose(str.strip), output_processor=TakeFirst())
    price = scrapy.Field(input_processor=MapCompose(float), output_processor=TakeFirst())


class Check:
    def process_item(self, item, spider=None):
        return Good.model_validate(dict(item)).model_dump()


class Lines(BaseItemExporter):
    def __init__(self, file, **options):
        super().__init__(**options)
        self.file = file

    def export_item(self, item):
        self.file.write(orjson.dumps(item) + b"\n")


class Harvest(scrapy.Spider):
    name = "harvest"

    def parse(self, response):
        yield from response.follow_all(css="a", callback=self.good)

    def good(self, response):
        loader = ItemLoader(Item(), response=response)
        loader.add_css("name", "h1::text")
        loader.add_xpath("price", "//b[@class='p']/text()")
        yield loader.load_item()


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    out = Path(tempfile.mkdtemp())
    process = CrawlerProcess({
        "ROBOTSTXT_OBEY": True, "LOG_LEVEL": "ERROR", "TELNETCONSOLE_ENABLED": False, "ITEM_PIPELINES": {f"{__name__}.Check": 300},
        "FEED_EXPORTERS": {"fast": f"{__name__}.Lines"}, "FEEDS": {str(out / "a.jl"): {"format": "fast"}, str(out / "a.csv"): {"format": "csv"}, str(out / "a.xml"): {"format": "xml"}},
        "HTTPCACHE_ENABLED": True, "HTTPCACHE_DIR": str(out / "cache"), "AUTOTHROTTLE_ENABLED": False,
    })
    crawler = process.create_crawler(Harvest)
    process.crawl(crawler, start_urls=[f"http://127.0.0.1:{server.server_address[1]}/"])
    process.start()
    server.shutdown()
    rows = sorted((json.loads(n) for n in (out / "a.jl").read_text().splitlines()), key=lambda r: r["name"])
    print("OK", rows, (out / "a.csv").read_text().splitlines()[0], crawler.stats.get_value("downloader/response_status_count/200"), crawler.stats.get_value("finish_reason"))


sys.exit(main())
