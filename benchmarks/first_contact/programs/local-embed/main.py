"""Embeddings without a network: a WordPiece tokenizer trained here, static vectors of Model2Vec saved as safetensors, texts of Datasets cut by Chonkie, answers held to a schema by llguidance."""
import json
import os
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
from chonkie import RecursiveChunker, SentenceChunker, TokenChunker
from datasets import Dataset, disable_progress_bars, load_dataset
from llguidance import JsonCompiler, LLMatcher
from llguidance.hf import from_tokenizer
from model2vec import StaticModel
from safetensors import safe_open
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, BatchEncoding, PreTrainedTokenizerFast

TEXTS = [
    "The ferry leaves the island at noon. Passengers wait on the pier. The captain counts them twice.",
    "A gardener waters tomatoes every morning. Basil grows next to them. Snails come at night.",
    "Sailors repair the mast of the old ship. The harbour is full of boats. Waves hit the pier.",
    "Peppers need sun and water. The garden bed was dug in spring. Compost feeds the plants.",
]
SCHEMA = {"type": "object", "properties": {"topic": {"enum": ["sea", "garden"]}, "score": {"type": "integer"}}, "required": ["topic", "score"], "additionalProperties": False}


def train():
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tok.train_from_iterator(TEXTS * 3, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False))
    tok.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tok


def byte_level():
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<|end|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tok.train_from_iterator(TEXTS + [json.dumps(SCHEMA)], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tok, eos_token="<|end|>")


def vectors(tok):
    """One vector a token: how often it stands in each text, through a fixed random projection."""
    seen = np.zeros((tok.get_vocab_size(), len(TEXTS)), dtype=np.float32)
    for column, text in enumerate(TEXTS):
        for token in tok.encode(text, add_special_tokens=False).ids:
            seen[token, column] += 1
    rare = seen / np.maximum(seen.sum(axis=1, keepdims=True), 1)
    return (rare @ np.random.default_rng(0).normal(size=(len(TEXTS), 32))).astype(np.float32)


def constrained(tokenizer):
    grammar = JsonCompiler().compile(json.dumps(SCHEMA))
    wrapped = from_tokenizer(tokenizer)
    good, bad = LLMatcher(wrapped, grammar), LLMatcher(wrapped, grammar)
    answer = json.dumps({"topic": "sea", "score": 7})
    fine = good.try_consume_tokens(wrapped.tokenize_str(answer)) == len(wrapped.tokenize_str(answer)) and good.is_accepting()
    tokens = wrapped.tokenize_str(json.dumps({"topic": "sky"}))
    return fine, bad.try_consume_tokens(tokens) < len(tokens), LLMatcher.validate_grammar(grammar)


def main():
    disable_progress_bars()
    d = Path(tempfile.mkdtemp())
    tok = train()
    fast = PreTrainedTokenizerFast(tokenizer_object=tok, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")
    fast.save_pretrained(d / "tok")
    again = AutoTokenizer.from_pretrained(d / "tok")
    batch = again(TEXTS, padding=True, truncation=True, max_length=24, return_tensors="np")
    assert isinstance(batch, BatchEncoding) and batch["input_ids"].shape[0] == 4
    StaticModel(vectors(tok), tok, normalize=True).save_pretrained(d / "static")
    with safe_open(d / "static" / "model.safetensors", framework="np") as f:
        shapes = {k: tuple(f.get_slice(k).get_shape()) for k in f.keys()}
    model = StaticModel.from_pretrained(d / "static")
    chunks = []
    chunker = SentenceChunker(tokenizer=tok, chunk_size=14, chunk_overlap=0, min_sentences_per_chunk=1)
    for number, text in enumerate(TEXTS):
        chunks += [{"text": c.text.strip(), "doc": number, "n": c.token_count} for c in chunker.chunk(text)]
    pieces = len(TokenChunker(tokenizer=tok, chunk_size=10, chunk_overlap=2).chunk(TEXTS[0])), len(RecursiveChunker(tokenizer=tok, chunk_size=16).chunk("\n\n".join(TEXTS)))
    data = Dataset.from_list(chunks).map(lambda rows: {"vector": model.encode(rows["text"])}, batched=True)
    data.to_json(d / "chunks.jsonl")
    loaded = load_dataset("json", data_files=str(d / "chunks.jsonl"), split="train", cache_dir=str(d / "cache"))
    matrix = np.asarray(loaded["vector"], dtype=np.float32)
    found = {}
    for question in ("boats in the harbour", "water the plants"):
        best = int(np.argmax(matrix @ model.encode(question)))
        found[question] = loaded[best]["text"]
    print(found, shapes)
    assert "harbour" in found["boats in the harbour"], found
    print("OK", len(loaded), pieces, tuple(matrix.shape), constrained(byte_level()), again.decode(batch["input_ids"][0], skip_special_tokens=True)[:20])


main()
