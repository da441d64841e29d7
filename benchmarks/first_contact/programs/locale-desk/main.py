"""A localisation desk: Translate Toolkit turns JSON and HTML into PO, fills in from a memory, checks, and turns back; Spylls and SymSpell spell, sacreBLEU scores, polib compiles."""
import importlib.resources
import io
import json
import tempfile
from pathlib import Path
from types import SimpleNamespace

import polib
from sacrebleu.metrics import BLEU, CHRF, TER
from spylls.hunspell import Dictionary
from symspellpy import SymSpell, Verbosity
from translate.convert import html2po, json2po, po2html, po2json, po2tmx, po2xliff, pot2po
from translate.filters import checks, pofilter
from translate.lang import factory as languages
from translate.lang.identify import LanguageIdentifier
from translate.search import match
from translate.storage import factory, po
from translate.tools.podebug import podebug

SHOP = Path(__file__).resolve().parent / "shop"
LETTER = """Hej! Du kan betala med kort eller med faktura, och om du har frågor ska du skriva till oss. Vi svarar så snart
vi kan, oftast samma dag. Har du inte fått ditt paket efter en vecka ber vi dig att ringa, så letar vi efter det. Logga in på
ditt konto för att se var paketet är och när det kommer fram till dig. Välkommen tillbaka, hälsar vi som arbetar i butiken."""


def template(kind, convert, folder):
    """Extract the texts of a source file and fill them from the memory."""
    with open(next(SHOP.glob("*." + kind)), "rb") as source, open(folder / f"{kind}.pot", "wb") as pot:
        convert(source, pot, None, pot=True)
    path = folder / f"{kind}.po"
    with open(folder / f"{kind}.pot", "rb") as pot, open(SHOP / "sv_memory.po", "rb") as memory, open(path, "wb") as out:
        pot2po.convertpot(pot, out, memory, min_similarity=80)
    return path


def check(path):
    store = factory.getobject(str(path))
    options = SimpleNamespace(excludefilters={}, limitfilters=["printf", "pythonbraceformat", "endpunc", "untranslated", "startcaps"], includefuzzy=True, includereview=True, autocorrect=False, addnotes=True)
    config = checks.CheckerConfig(targetlanguage="sv")
    found = pofilter.pocheckfilter(options, [checks.GnomeChecker], config)
    return {u.source[:12]: sorted(found.filterunit(u)) for u in store.units if u.source and found.filterunit(u)}


def back(folder):
    """The translated JSON and HTML, an XLIFF and a TMX for the agency."""
    done, page = io.BytesIO(), io.BytesIO()
    with open(folder / "json.po", "rb") as f, open(SHOP / "en.json", "rb") as t:
        po2json.convertjson(f, done, t)
    with open(folder / "html.po", "rb") as f, open(SHOP / "help.html", "rb") as t:
        po2html.converthtml(f, page, t)
    xliff = io.BytesIO()
    with open(folder / "json.po", "rb") as f:
        po2xliff.convertpo(f, xliff, None)
    (folder / "agency.xlf").write_bytes(xliff.getvalue())
    memory = po2tmx.tmxmultifile(str(folder / "agency.tmx"), mode="w")
    with open(SHOP / "sv_memory.po", "rb") as f:
        po2tmx.convertpo(f, SimpleNamespace(tmxfile=memory.tmxfile), None, targetlanguage="sv")
    memory.tmxfile.savefile(str(folder / "agency.tmx"))
    units = [len([u for u in factory.getobject(str(folder / n)).units if u.istranslatable()]) for n in ("agency.xlf", "agency.tmx")]
    return json.loads(done.getvalue()), page.getvalue().decode(), units


def spelling(catalog):
    speller = Dictionary.from_files(str(importlib.resources.files("spylls.hunspell.data") / "sv" / "sv_SE"))
    tokens = {w for e in catalog if e.msgstr and not e.fuzzy for w in languages.getlanguage("sv").words(e.msgstr.replace("%(name)s", "")) if w.isalpha()}
    wrong = sorted(w for w in tokens if not speller.lookup(w))
    symspell = SymSpell(max_dictionary_edit_distance=1)
    symspell.load_dictionary(str(importlib.resources.files("symspellpy") / "frequency_dictionary_en_82_765.txt"), 0, 1)
    meant = symspell.lookup_compound("yuor baskt is emtpy", 1)[0].term
    single = symspell.lookup("acount", Verbosity.TOP, 1)[0].term
    return {w: list(speller.suggest(w))[:1] for w in wrong}, meant, single


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        paths = [template("json", json2po.convertjson, folder), template("html", html2po.converthtml, folder)]
        complaints = check(paths[0])
        words, page, units = back(folder)
        catalog = polib.pofile(str(paths[0]))
        done = catalog.percent_translated(), len(catalog.fuzzy_entries()), len(catalog.untranslated_entries())
        catalog.save_as_mofile(str(folder / "shop.mo"))
        compiled = len(polib.mofile(str(folder / "shop.mo")))
        wrong = spelling(catalog)
        pseudo = podebug(rewritestyle="unicode").convertstore(po.pofile.parsefile(str(paths[1])))
        fake = [u.target for u in pseudo.units if u.istranslatable()][-1]
    memory = match.matcher(po.pofile.parsefile(str(SHOP / "sv_memory.po")), max_candidates=1, min_similarity=60)
    near = [(c.source, c.target) for c in memory.matches("We have sent a card to you")]
    said = LanguageIdentifier().identify_lang(LETTER)
    hypothesis, reference = ["Din korg är tom nu", "Hej och välkommen"], [["Din korg är tom", "Hej och välkommen tillbaka"]]
    scores = [round(m.corpus_score(hypothesis, reference).score, 1) for m in (BLEU(), CHRF(word_order=2), TER())]
    print("OK", complaints, words["basket"]["title"], "Hur betalar jag?" in page, 'alt="Ett kort"' in page, units, done, compiled, *wrong, fake, near, said, scores)


if __name__ == "__main__":
    main()
