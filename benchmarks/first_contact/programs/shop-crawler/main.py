"""Price watcher: crawls a shop with Crawlee, reads its structured data, replays its API from a cassette and exports the offers."""
import asyncio
import logging
import os
import pathlib
import sys
import tempfile
from datetime import timedelta

STORE = tempfile.mkdtemp(prefix="crawl")
os.environ["CRAWLEE_STORAGE_DIR"] = STORE
import html_text
import impit
import jmespath
import mechanicalsoup
import orjson
import requests
import tablib
import vcr
from crawlee import ConcurrencySettings, Glob, service_locator
from crawlee.configuration import Configuration
from crawlee.crawlers import BeautifulSoupCrawler, ParselCrawler
from crawlee.errors import HttpStatusCodeError
from crawlee.fingerprint_suite import DefaultFingerprintGenerator, HeaderGeneratorOptions
from crawlee.http_clients import ImpitHttpClient
from crawlee.router import Router
from crawlee.sessions import SessionPool
from crawlee.storage_clients import FileSystemStorageClient, MemoryStorageClient
from crawlee.storages import Dataset, KeyValueStore, RequestQueue
from pydantic import BaseModel, Field, ValidationError
from pyquery import PyQuery
from w3lib.url import canonicalize_url
from yarl import URL

import shop


class Offer(BaseModel):
    name: str
    sku: str = Field(pattern=r"^B\d+$")
    price: float = Field(gt=0)
    title: str | None = None


def common(http):
    return dict(
        http_client=http,
        concurrency_settings=ConcurrencySettings(min_concurrency=1, desired_concurrency=1, max_concurrency=2),
        session_pool=SessionPool(max_pool_size=2),
        max_request_retries=1,
        request_handler_timeout=timedelta(seconds=20),
        configure_logging=False,
    )


async def crawl_products(base):
    crawler = BeautifulSoupCrawler(**common(ImpitHttpClient(http3=False, browser="firefox")), respect_robots_txt_file=True)
    failed = []

    @crawler.router.default_handler
    async def listing(context):
        await context.enqueue_links(selector="a.product", label="product", include=[Glob(f"{base}/*.html")])

    @crawler.router.handler("product")
    async def product(context):
        linked = orjson.loads(str(context.soup.select_one('script[type="application/ld+json"]').string))
        item = jmespath.search("{name: name, sku: sku, price: to_number(offers.price)}", linked)
        offer = Offer(**item, title=context.soup.find("meta", property="og:title")["content"])
        await context.push_data(offer.model_dump())
        store = await context.get_key_value_store()
        await store.set_value(offer.sku, {"text": html_text.extract_text(str(context.soup.body)), "heading": context.soup.h1.get_text(strip=True)})

    @crawler.failed_request_handler
    async def give_up(context, error):
        failed.append((URL(context.request.url).path, type(error).__name__, isinstance(error, HttpStatusCodeError)))

    stats = await crawler.run([f"{base}/"])
    print("crawl", stats.requests_finished, stats.requests_failed, sorted(failed))
    store = await KeyValueStore.open()
    print("store", [await store.get_value(sku) for sku in ("B1", "B2")])
    target = pathlib.Path(STORE) / "offers.json"
    await crawler.export_data(target)
    data = await crawler.get_data()
    print("exported", target.is_file(), data.count)
    return sorted(data.items, key=lambda o: o["sku"])


async def crawl_prices(base):
    router = Router()

    @router.default_handler
    async def price(context):
        await context.push_data({"price": context.selector.css("p.price::text").re_first(r"[\d.]+"), "title": context.selector.xpath("//title/text()").get()}, dataset_name="prices")

    crawler = ParselCrawler(**common(ImpitHttpClient(http3=False)), request_handler=router, storage_client=MemoryStorageClient())
    await crawler.run([f"{base}/rake.html", f"{base}/spade.html"])
    dataset = await Dataset.open(name="prices", storage_client=MemoryStorageClient())
    print("parsel", sorted([i["price"] async for i in dataset.iterate_items()]))
    queue = await RequestQueue.open(name="later")
    await queue.add_requests([f"{base}/a", f"{base}/b", f"{base}/a"])
    print("queue", (await queue.get_metadata()).total_request_count)
    async with impit.AsyncClient() as client:
        answer = await client.get(f"{base}/stock.json")
        print("impit", answer.status_code, answer.json()["items"][0])
    try:
        impit.Client(timeout=2).get("http://127.0.0.1:9/")
    except impit.HTTPError as error:
        print("refused", type(error).__name__)


def forms(base):
    browser = mechanicalsoup.StatefulBrowser(soup_config={"features": "lxml"}, raise_on_404=True)
    browser.open(f"{base}/")
    form = browser.select_form("form")
    form["q"] = "hoe"
    form.set("sort", "price")
    browser.submit_selected()
    print("form", browser.page.select_one("#hit").text, URL(browser.url).query_string)
    try:
        browser.open(f"{base}/missing")
    except mechanicalsoup.LinkNotFoundError as error:
        print("missing", type(error).__name__)
    page = PyQuery((shop.SITE / "index.html").read_text())
    print("pyquery", [a.text() for a in page("a.product").items()], page("option[selected]").attr("value"))


def cassette(base, server):
    recorder = vcr.VCR(cassette_library_dir=STORE, record_mode="once", match_on=["method", "path"], filter_headers=["authorization"])
    for turn in ("record", "replay"):
        with recorder.use_cassette("stock.yaml") as tape:
            answer = requests.get(f"{base}/stock.json", headers={"Authorization": "secret"}, timeout=5)
            print(turn, answer.json()["items"][1], "played", tape.play_count)
        if turn == "record":
            server.shutdown()
            server.server_close()
    print("secret kept out", "secret" not in (pathlib.Path(STORE) / "stock.yaml").read_text())


def export(offers):
    table = tablib.Dataset(*[(o["sku"], o["name"], o["price"]) for o in offers], headers=["sku", "name", "price"])
    print(table.export("csv").split("\r\n")[:2], orjson.loads(table.export("json"))[1], table.export("yaml").splitlines()[0])
    headers = DefaultFingerprintGenerator(header_options=HeaderGeneratorOptions(browsers=["firefox"])).generate().headers
    print("fingerprint", "Firefox" in str(headers), canonicalize_url("http://x/?b=2&a=1#top"))
    try:
        Offer(name="x", sku="A1", price=0)
    except ValidationError as error:
        print("bad offer", [e["loc"][0] for e in error.errors()])


async def crawl(base):
    offers = await crawl_products(base)
    await crawl_prices(base)
    return offers


def main():
    logging.disable(logging.CRITICAL)
    service_locator.set_configuration(Configuration(storage_dir=STORE, purge_on_start=True))
    service_locator.set_storage_client(FileSystemStorageClient())
    server, base = shop.serve()
    base = sys.argv[1] if sys.argv[1:] else base
    offers = asyncio.run(crawl(base))
    forms(base)
    cassette(base, server)
    export(offers)
    print("OK shop-crawler")


if __name__ == "__main__":
    main()
