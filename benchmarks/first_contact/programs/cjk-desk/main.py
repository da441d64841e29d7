"""A desk for East Asian letters: Japanese cut by SudachiPy in three modes, Chinese by rjieba, readings by pykakasi and pypinyin, an index of words, traditional signs by OpenCC, tags matched."""
import json
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import langcodes
import pykakasi
import rjieba
from opencc import OpenCC
from pypinyin import Style, lazy_pinyin, pinyin
from sudachipy import Dictionary, SplitMode

LETTERS = [
    ("ja", "国家公務員は東京都に引っ越しました。"),
    ("ja", "医薬品安全管理責任者にすだちを三個渡した。"),
    ("zh", "我们中出了一个叛徒，请把重要的报告送到银行。"),
    ("zh-Hans-CN", "小明硕士毕业于中国科学院计算所，后在日本京都大学深造。"),
    ("ko", "안녕하세요"),
]
SUPPORTED = ["ja", "zh-Hans", "en"]


def japanese(tokenizer, kana, text):
    modes = {}
    for mode in (SplitMode.A, SplitMode.B, SplitMode.C):
        modes[str(mode)[-1]] = [m.surface() for m in tokenizer.tokenize(text, mode)]
    nouns, readings = [], []
    for m in tokenizer.tokenize(text, SplitMode.C):
        if m.part_of_speech()[0] == "名詞":
            nouns.append(m.normalized_form())
        readings.append(m.reading_form())
    romaji = " ".join(part["hepburn"] for part in kana.convert(text) if part["hepburn"].strip())
    return {"modes": modes, "words": nouns, "reading": "".join(readings), "roman": romaji}


def chinese(text):
    words = [w for w in rjieba.cut(text) if w.strip("，。")]
    search = list(rjieba.cut_all(text))
    tags = [(w, t) for w, t in rjieba.tag(text) if t.startswith("n")]
    tones = [p[0] for p in pinyin(text, style=Style.TONE3, errors="ignore")]
    return {
        "modes": {"default": words, "all": search},
        "words": [w for w, _ in tags],
        "reading": "".join(lazy_pinyin(text, style=Style.FIRST_LETTER, errors="ignore")),
        "roman": " ".join(tones),
    }


def choose(tag):
    language, distance = langcodes.closest_match(tag, SUPPORTED)
    return language if distance < 25 else None


def main():
    tokenizer = Dictionary(dict="core").tokenizer()
    kana = pykakasi.kakasi()
    rows, refused = [], []
    for tag, text in LETTERS:
        language = choose(tag)
        if language == "ja":
            row = japanese(tokenizer, kana, text)
        elif language == "zh-Hans":
            row = chinese(text)
        else:
            refused.append(tag)
            continue
        rows.append({"tag": langcodes.standardize_tag(tag), "language": language, "text": text, **row})
    index = defaultdict(set)
    for number, row in enumerate(rows):
        for word in row["words"]:
            index[word].add(number)
    store = Path(tempfile.mkdtemp()) / "letters.jsonl"
    store.write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows), encoding="utf-8")
    back = [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines()]
    for row in back:
        print(row["language"], row["words"], row["reading"], "|", row["roman"])
    counts = Counter(row["language"] for row in back)
    assert len(back[0]["modes"]["A"]) > len(back[0]["modes"]["C"]), back[0]["modes"]
    assert "银行" in back[2]["modes"]["default"]
    taiwan = OpenCC("s2twp").convert("鼠标里面的硅二极管坏了，" + back[2]["text"][-4:])
    heteronym = [lazy_pinyin(word) for word in ("重要", "重庆", "银行", "行走")]
    print("OK", dict(counts), refused, len(index), taiwan, heteronym)


main()
