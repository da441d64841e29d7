"""Names in letters: spaCy pipelines for four languages made from a config, with rules for entities, a custom component and a matcher, kept on disk and loaded again, dates by dateparser, a drawing as HTML, a Rich table."""
import io
import tempfile

import dateparser
import jellyfish
import spacy
from rich.console import Console
from rich.table import Table
from spacy import displacy
from spacy.language import Language
from spacy.matcher import Matcher, PhraseMatcher
from spacy.tokens import Doc, DocBin, Span

CONFIG = """
[nlp]
lang = "en"
pipeline = ["sentencizer", "entity_ruler", "likeness"]

[components]

[components.sentencizer]
factory = "sentencizer"
punct_chars = null

[components.entity_ruler]
factory = "entity_ruler"
phrase_matcher_attr = "LOWER"

[components.likeness]
factory = "likeness"
near = "Ravenna"
"""
LETTER = "Dear Ms Weber, on 3 March 2026 the ship Aurora left Genoa. She reached Ravena on 9 April 2026. Apples cost 3.50 euros."


@Language.factory("likeness", default_config={"near": "x"})
def make_likeness(nlp: Language, name: str, near: str):
    if not Doc.has_extension("near"):
        Doc.set_extension("near", default=None)

    def component(doc):
        doc._.near = [t.text for t in doc if t.text != near and jellyfish.jaro_winkler_similarity(t.text, near) > 0.9]
        return doc

    return component


def main():
    from thinc.api import Config

    nlp = spacy.util.load_model_from_config(Config().from_str(CONFIG), auto_fill=True)
    nlp.get_pipe("entity_ruler").add_patterns([
        {"label": "SHIP", "pattern": "aurora"},
        {"label": "CITY", "pattern": [{"LOWER": {"IN": ["genoa", "ravena"]}}]},
    ])
    with tempfile.TemporaryDirectory() as folder:
        nlp.to_disk(folder)
        again = spacy.load(folder)
    doc = again(LETTER)
    matcher = Matcher(again.vocab)
    matcher.add("DAY", [[{"IS_DIGIT": True}, {"IS_TITLE": True}, {"SHAPE": "dddd"}]])
    days = [dateparser.parse(span.text, languages=["en"]).date().isoformat() for span in matcher(doc, as_spans=True)]
    phrases = PhraseMatcher(again.vocab, attr="LEMMA")
    counts = {}
    for code, text in (("de", "Das Schiff fährt um 8 Uhr z.B. nach Köln."), ("fr", "L'homme n'a pas d'argent."), ("it", "C'è un'anima nell'acqua."), ("sv", "Hon köper bröd bl.a. i Lund.")):
        counts[code] = len(spacy.blank(code)(text))
    bin_ = DocBin(docs=[doc], store_user_data=True)
    back = list(DocBin().from_bytes(bin_.to_bytes()).get_docs(again.vocab))[0]
    html = displacy.render(Span(doc, 0, len(doc)).as_doc(), style="ent", page=True)
    table = Table("text", "label")
    for ent in back.ents:
        table.add_row(ent.text, ent.label_)
    out = io.StringIO()
    Console(file=out, width=40).print(table)
    print("OK", [(e.text, e.label_) for e in back.ents], days, counts, doc._.near, len(list(doc.sents)), "Aurora" in html, len(phrases), out.getvalue().count("CITY"))


main()
