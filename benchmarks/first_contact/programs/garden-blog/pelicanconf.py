from pathlib import Path

HERE = Path(__file__).resolve().parent

AUTHOR = "Clara Moss"
SITENAME = "Garden Notes"
SITEURL = "https://garden.example"
PATH = str(HERE / "content")
THEME = str(HERE / "theme")
TIMEZONE = "Europe/Berlin"
DEFAULT_LANG = "en"
ARTICLE_PATHS = ["articles"]
PAGE_PATHS = ["pages"]
STATIC_PATHS = ["images"]
PLUGIN_PATHS = [str(HERE)]
PLUGINS = ["blogtools.reading", "blogtools.seedbox"]
FEED_ALL_ATOM = "feeds/all.atom.xml"
FEED_ALL_RSS = "feeds/all.rss.xml"
CATEGORY_FEED_ATOM = "feeds/{slug}.atom.xml"
TRANSLATION_FEED_ATOM = None
AUTHOR_FEED_ATOM = AUTHOR_FEED_RSS = None
DEFAULT_PAGINATION = 2
DEFAULT_DATE = (2024, 1, 1)
SUMMARY_MAX_LENGTH = 12
ARTICLE_URL = "{date:%Y}/{slug}.html"
ARTICLE_SAVE_AS = ARTICLE_URL
TYPOGRIFY = True
JINJA_FILTERS = {"shout": str.upper}
JINJA_GLOBALS = {"motto": "grow slowly"}
JINJA_ENVIRONMENT = {"trim_blocks": True, "lstrip_blocks": True,
                     "extensions": ["jinja2.ext.do", "jinja2.ext.loopcontrols"]}
MARKDOWN = {
    "extension_configs": {
        "markdown.extensions.codehilite": {"css_class": "highlight"},
        "markdown.extensions.extra": {},
        "markdown.extensions.meta": {},
        "markdown.extensions.toc": {"permalink": "#"},
        "blogtools.latin": {"italic": True},
    },
    "output_format": "html5",
}
EXTRA_PATH_METADATA = {"images/leaf.svg": {"path": "leaf.svg"}}
CACHE_CONTENT = True
LOAD_CONTENT_CACHE = True
