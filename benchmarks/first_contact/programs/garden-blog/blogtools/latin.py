from xml.etree import ElementTree

from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor


class LatinName(InlineProcessor):
    def handleMatch(self, m, data):
        node = ElementTree.Element("i", {"lang": "la"})
        node.text = m.group(1)
        return node, m.start(0), m.end(0)


class LatinExtension(Extension):
    config = {"italic": [True, "Use an i element"]}

    def extendMarkdown(self, md):
        md.inlinePatterns.register(LatinName(r"\{\{(.+?)\}\}", md), "latin", 200)


def makeExtension(**kwargs):
    return LatinExtension(**kwargs)
