"""A triage of letters: encodings guessed, languages detected, words stemmed, senders matched by sound, duplicates found, in two processes."""
import hashlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import chardetng_py
import jellyfish
from charset_normalizer import from_bytes
from lingua import Language, LanguageDetectorBuilder
from py_rust_stemmers import SnowballStemmer
from tokenizers import normalizers
from unidecode import unidecode

LETTERS = [
    ("Anna Müller", "Sehr geehrte Damen und Herren, die Lieferung ist leider beschädigt angekommen und wir möchten sie zurückschicken.", "windows-1252"),
    ("Ana Muller", "Dear all, the delivery arrived broken and we would like to return it as soon as possible, thank you for helping.", "utf-8"),
    ("Piotr Łuk", "Szanowni Państwo, przesyłka została niestety uszkodzona i chcielibyśmy ją zwrócić jak najszybciej.", "utf-8"),
    ("José Pérez", "Estimados señores, el envío llegó dañado y quisiéramos devolverlo lo antes posible, muchas gracias.", "cp1252"),
]
LANGS = [Language.ENGLISH, Language.GERMAN, Language.POLISH, Language.SPANISH]
STEM = {"ENGLISH": "english", "GERMAN": "german", "SPANISH": "spanish"}


def triage(item):
    sender, raw = item
    detector = chardetng_py.EncodingDetector()
    detector.feed(raw, last=True)
    guess = detector.guess(tld=None, allow_utf8=True)
    best = from_bytes(raw).best()
    text = raw.decode(guess)
    detector = LanguageDetectorBuilder.from_languages(*LANGS).with_low_accuracy_mode().build()
    lang = detector.detect_language_of(text)
    stemmer = SnowballStemmer(STEM[lang.name]) if lang.name in STEM else None
    words = stemmer.stem_words(text.lower().split()) if stemmer else text.split()
    norm = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]).normalize_str(text)
    return {
        "sender": sender, "lang": lang.iso_code_639_1.name, "encoding": guess.lower(), "same": best is not None,
        "stems": words[-3:], "sound": jellyfish.metaphone(unidecode(sender)), "key": hashlib.sha256(norm.encode()).hexdigest()[:6],
    }


def main():
    items = [(s, text.encode(enc)) for s, text, enc in LETTERS]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        rows = list(pool.map(triage, items))
    near = [
        (a["sender"], b["sender"]) for i, a in enumerate(rows) for b in rows[i + 1:]
        if jellyfish.jaro_winkler_similarity(unidecode(a["sender"]), unidecode(b["sender"])) > 0.9
    ]
    assert [r["lang"] for r in rows] == ["DE", "EN", "PL", "ES"], rows
    print("OK", [r["encoding"] for r in rows], rows[1]["stems"], rows[0]["sound"], near, all(r["same"] for r in rows), rows[1]["key"])


if __name__ == "__main__":
    multiprocessing.freeze_support()
    main()
