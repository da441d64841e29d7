"""Word counts, and a clean-up of foreign HTML."""
import math
import re

import nh3
from pelican import contents, signals


def measure(content):
    if isinstance(content, contents.Static) or content._content is None:
        return
    if content.source_path.endswith(".html"):
        content._content = nh3.clean(content._content)
    words = len(re.findall(r"\w+", re.sub(r"<[^>]+>", " ", content._content)))
    content.reading = {"words": words, "minutes": max(1, math.ceil(words / 200))}


def register():
    signals.content_object_init.connect(measure)
