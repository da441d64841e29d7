"""word-bridge: check, complete and convert the translations of a product."""
import importlib
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import i18n
import nh3
import polib
from babel import Locale
from babel.numbers import format_percent
from moz.l10n.formats import Format
from moz.l10n.message import message_from_json, message_to_json, parse_message, serialize_message
from moz.l10n.model import Entry, Expression, PatternMessage, SelectMessage, VariableRef
from moz.l10n.paths import L10nConfigPaths, get_android_locale
from moz.l10n.resource import add_entries, l10n_equal, parse_resource, serialize_resource
from rapidfuzz import fuzz, process
from transliterate import detect_language, get_available_language_codes, translit
from transliterate.discover import autodiscover

HERE = Path(__file__).resolve().parent
TAGS = {"b", "i", "em", "a"}


@dataclass
class Score:
    locale: str
    total: int = 0
    done: int = 0
    notes: list = field(default_factory=list)


def entries(resource):
    for section in resource.sections:
        for entry in section.entries:
            if isinstance(entry, Entry):
                yield ".".join(section.id + entry.id), entry


def variables(message):
    """Names of all the variables that a message uses."""
    patterns = [message.pattern] if isinstance(message, PatternMessage) else message.variants.values()
    names = set()
    for pattern in patterns:
        for part in pattern:
            if isinstance(part, Expression) and isinstance(part.arg, VariableRef):
                names.add(part.arg.name)
    return names


def check(paths, locale):
    score = Score(locale)
    for reference, target in sorted(reference_pairs(paths, locale)):
        source = dict(entries(parse_resource(str(reference))))
        local = dict(entries(parse_resource(str(target))))
        for key, entry in source.items():
            score.total += 1
            if key not in local:
                best = process.extractOne(key, list(local), scorer=fuzz.ratio)
                score.notes.append(f"{Path(target).name}: {key} missing (near {best[0]})")
                continue
            score.done += 1
            lost = variables(entry.value) ^ variables(local[key].value)
            if lost and not isinstance(entry.value, SelectMessage):
                score.notes.append(f"{Path(target).name}: {key} differs in {sorted(lost)}")
            text = str(local[key].value.pattern[0]) if "<" in str(local[key].value) else ""
            if text and nh3.clean(text, tags=TAGS, attributes={}) != text:
                clean = nh3.clean(text, tags=TAGS, attributes={})
                score.notes.append(f"{Path(target).name}: {key} unsafe, becomes {clean!r}")
    return score


def reference_pairs(paths, locale):
    for reference in paths.ref_paths:
        target, _ = paths.target(reference, locale=locale)
        yield reference, target


def complete(paths, locale):
    """Fill the gaps with the reference text."""
    for reference, target in sorted(reference_pairs(paths, locale)):
        ref, res = parse_resource(str(reference)), parse_resource(str(target))
        before = parse_resource(str(target))
        added = add_entries(res, ref)
        text = "".join(serialize_resource(res))
        Path(target).write_text(text)
        print(f"{locale} {Path(target).name}: +{added}, same={l10n_equal(before, res)}")


def convert(tmp):
    """The same messages in the syntaxes of other platforms."""
    resource = parse_resource(str(tmp / "catalog/de/strings.properties"))
    for fmt, name in ((Format.ini, "x.ini"), (Format.plain_json, "x.json"), (Format.android, "strings.xml")):
        try:
            print(f"--- {name}")
            print("".join(serialize_resource(resource, fmt)).rstrip())
        except (ValueError, TypeError) as exc:
            print(f"not possible: {type(exc).__name__}")
    source = ".input {$n :number} .match $n one {{{$n} file}} * {{{$n} files}}"
    message = parse_message(Format.mf2, source)
    model = message_to_json(message)
    assert message_from_json(json.loads(json.dumps(model))) == message
    print("mf2:", serialize_message(Format.mf2, message).replace("\n", " "))
    print("android:", get_android_locale("sr-Latn"), get_android_locale("he"))


def names():
    autodiscover()
    importlib.import_module("lang_packs.passport")
    print("packs:", ", ".join(sorted(get_available_language_codes())))
    for text in ("Юлия Щукина", "Ελλάδα", "Тбилиси", "საქართველო"):
        code = detect_language(text)
        print(f"{text}: {code} -> {translit(text, code, reversed=True) if code else text}")
    print("passport:", translit("Юлия Щукина", "ru-passport", reversed=True))


def shell():
    i18n.load_path.append(str(HERE / "ui"))
    i18n.set("file_format", "yml")
    i18n.set("enable_memoization", True)
    i18n.set("fallback", "en")
    for locale in ("en", "de", "fr"):
        i18n.set("locale", locale)
        print(locale, "|", i18n.t("shell.greet", name="Ada"), "|",
              *[i18n.t("shell.mail", count=n) for n in (0, 1, 5)])


def catalog_stats(tmp):
    for locale in ("de", "ru"):
        po = polib.pofile(str(tmp / f"catalog/{locale}/site.po"))
        mo = tmp / f"{locale}.mo"
        po.save_as_mofile(str(mo))
        print(f"{locale}: {po.percent_translated()}% fuzzy={len(po.fuzzy_entries())} mo={len(polib.mofile(str(mo)))}")


def main():
    with tempfile.TemporaryDirectory() as name:
        tmp = Path(name)
        shutil.copytree(HERE / "catalog", tmp / "catalog")
        paths = L10nConfigPaths(str(tmp / "catalog" / "l10n.toml"))
        print("locales:", ", ".join(sorted(paths.all_locales)))
        scores = [check(paths, locale) for locale in sorted(paths.all_locales)]
        for score in scores:
            language = Locale.parse(score.locale)
            share = format_percent(score.done / score.total, locale=language)
            print(f"{language.get_display_name('en')} ({language.display_name}): {share}")
            for note in score.notes:
                print("   ", note)
            complete(paths, score.locale)
        again = [check(paths, locale) for locale in sorted(paths.all_locales)]
        print((tmp / "catalog/de/app.ftl").read_text().rstrip())
        convert(tmp)
        names()
        shell()
        catalog_stats(tmp)
    assert all(s.done == s.total for s in again)
    assert any("unsafe" in note for s in scores for note in s.notes)
    print(f"OK {sum(b.done - a.done for a, b in zip(scores, again))} gaps filled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
