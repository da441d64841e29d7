"""Reads letters in several languages: repairs text, finds lemmas, topics, phrases and moods, and trains a small vocabulary."""
import json
import logging
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import emoji
import ftfy
import numpy as np
import pymorphy3
import simplemma
import textstat
import yake
from gensim import corpora, models, similarities
from gensim.models.doc2vec import Doc2Vec, TaggedDocument
from gensim.models.phrases import ENGLISH_CONNECTOR_WORDS, Phrases
from gensim.parsing.preprocessing import STOPWORDS, preprocess_string
from gensim.utils import simple_preprocess
from nltk.metrics import edit_distance
from nltk.stem import SnowballStemmer
from nltk.tokenize import TweetTokenizer
from nltk.util import ngrams
from simplemma.strategies import DefaultStrategy
from spellchecker import SpellChecker
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers import models as token_models
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
from wordcloud import STOPWORDS as CLOUD_STOPWORDS
from wordcloud import WordCloud

HERE = Path(__file__).resolve().parent
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)


def repair(letters):
    out = []
    for letter in letters:
        fixed = ftfy.fix_text(letter["text"])
        out.append(letter | {"text": fixed})
    told = ftfy.fix_and_explain(letters[5]["text"]).explanation
    print("repaired", sum(a != b for a, b in zip(letters, out)), [step.parameter for step in told][:2])
    print("emoji", emoji.demojize(out[5]["text"]).split()[6], emoji.emojize(":fish:") == "🐟", emoji.emoji_count(out[5]["text"]))
    return out


def lemmas(letters):
    lemmatizer = simplemma.Lemmatizer(lemmatization_strategy=DefaultStrategy(greedy=True))
    for letter in letters:
        if letter["lang"] == "de":
            words = simplemma.simple_tokenizer(letter["text"])[:6]
            print("de", [lemmatizer.lemmatize(w, lang="de") for w in words])
    print("guess", [simplemma.langdetect(x["text"], lang=("en", "de"))[0][0] for x in letters if x["lang"] != "ru"])
    morph = pymorphy3.MorphAnalyzer(lang="ru")
    words = [morph.parse(w)[0] for w in ("кораблями", "рассказывали", "островах")]
    print("ru", [(w.normal_form, str(w.tag.POS)) for w in words], words[2].make_agree_with_number(5).word, morph.parse("гавань")[0].inflect({"plur", "gent"}).word)
    print("stems", {lang: SnowballStemmer(lang).stem(word) for lang, word in (("english", "sailing"), ("german", "Schiffen"), ("russian", "кораблями"))})


def topics(letters, folder):
    docs = [preprocess_string(x["text"]) for x in letters if x["lang"] == "en"]
    dictionary = corpora.Dictionary(docs)
    dictionary.filter_extremes(no_below=1, no_above=0.9)
    bags = [dictionary.doc2bow(d) for d in docs]
    corpora.MmCorpus.serialize(str(folder / "bags.mm"), bags)
    stored = corpora.MmCorpus(str(folder / "bags.mm"))
    tfidf = models.TfidfModel(stored, smartirs="ntc")
    lsi = models.LsiModel(tfidf[stored], id2word=dictionary, num_topics=2, random_seed=1)
    index = similarities.MatrixSimilarity(lsi[tfidf[stored]], num_features=2)
    query = dictionary.doc2bow(preprocess_string("a ferry with an engine"))
    best = sorted(enumerate(index[lsi[tfidf[query]]]), key=lambda p: -p[1])[:2]
    print("topics", len(dictionary), stored.num_docs, sorted(n for n, _ in best))
    lda = models.LdaModel(stored, id2word=dictionary, num_topics=2, random_state=3, passes=5)
    lda.save(str(folder / "lda.model"))
    again = models.LdaModel.load(str(folder / "lda.model"))
    print("lda", again.num_topics, again.get_topics().shape == lda.get_topics().shape, np.allclose(again.get_topics().sum(axis=1), 1, atol=1e-3))
    plain = [simple_preprocess(x["text"], deacc=True) for x in letters if x["lang"] == "en"]
    vectors = models.Word2Vec(plain, vector_size=16, min_count=1, seed=1, workers=1, epochs=20)
    vectors.wv.save_word2vec_format(str(folder / "v.txt"))
    loaded = models.KeyedVectors.load_word2vec_format(str(folder / "v.txt"))
    fast = models.FastText(plain, vector_size=8, min_count=1, seed=1, workers=1, bucket=100)
    books = Doc2Vec([TaggedDocument(d, [n]) for n, d in enumerate(plain)], vector_size=8, min_count=1, seed=1, workers=1, epochs=5)
    print("vectors", len(loaded), loaded.vector_size, fast.wv["harbourmaster"].shape, len(books.dv), sorted(loaded.index_to_key)[-1])
    phrases = Phrases(plain * 3, min_count=2, threshold=1, connector_words=ENGLISH_CONNECTOR_WORDS)
    print("phrases", sorted(p for p in phrases.export_phrases())[:3], len(STOPWORDS) > 300)
    ranked = models.OkapiBM25Model(dictionary=dictionary)[bags[1]]
    print("bm25", len(ranked), dictionary[max(ranked, key=lambda p: (p[1], -p[0]))[0]] in dictionary.token2id)


def words(letters):
    mood = SentimentIntensityAnalyzer()
    print("mood", [round(mood.polarity_scores(x["text"])["compound"], 2) for x in letters if x["lang"] == "en"])
    whole = " ".join(x["text"] for x in letters if x["lang"] == "en")
    print("keys", [k for k, _ in yake.KeywordExtractor(lan="en", n=2, top=4, dedup_lim=0.7).extract_keywords(whole)])
    print("keys de", [k for k, _ in yake.KeywordExtractor(lan="de", n=1, top=2).extract_keywords(letters[2]["text"])])
    textstat.set_lang("de")
    german = letters[2]["text"]
    print("reading", textstat.flesch_reading_ease(german), round(textstat.wiener_sachtextformel(german, 1), 2), textstat.syllable_count(german), textstat.lexicon_count(german))
    for lang, wrong in (("en", ["harbur", "ferrey"]), ("de", ["Kapitn", "Schife"])):
        spell = SpellChecker(language=lang)
        print("spelling", lang, [(w, spell.correction(w)) for w in sorted(spell.unknown(wrong))])
    spell = SpellChecker(language=None)
    spell.word_frequency.load_words(["quayside", "bollard"])
    print("own words", spell.correction("bolard"), edit_distance("bolard", "bollard"))
    tokens = TweetTokenizer(preserve_case=False, reduce_len=True).tokenize("@pilot Sooooo windy!!! :-) #harbour")
    print("tokens", tokens, Counter(ngrams("abab", 2)).most_common(1))
    cloud = WordCloud(width=120, height=60, max_words=8, random_state=7, stopwords=CLOUD_STOPWORDS | {"harbour"}, collocations=False)
    cloud.generate(whole)
    print("cloud", sorted(cloud.words_)[:3], cloud.to_array().shape, cloud.to_svg().startswith("<svg"))


def vocabulary(letters, folder):
    tokenizer = Tokenizer(token_models.BPE(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([x["text"] for x in letters], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    tokenizer.save(str(folder / "tok.json"))
    again = Tokenizer.from_file(str(folder / "tok.json"))
    again.enable_padding(length=12)
    coded = again.encode_batch(["The harbour", "Корабли в гавани"])
    print("vocabulary", again.get_vocab_size(), [len(c.ids) >= 12 for c in coded], again.decode(coded[0].ids), coded[0].tokens[0])
    try:
        Tokenizer.from_str("{}")
    except Exception as error:
        print("vocabulary refused", type(error).__name__)


def main():
    letters = repair(json.loads((HERE / "letters.json").read_text(encoding="utf-8")))
    lemmas(letters)
    with tempfile.TemporaryDirectory() as folder:
        topics(letters, Path(folder))
        vocabulary(letters, Path(folder))
    words(letters)
    print("OK read", len(letters), "letters")


if __name__ == "__main__":
    main()
