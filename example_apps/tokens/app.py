"""Cut a text into tokens in two ways, with vocabularies that are made on the spot.

Usage: app.py [TEXT.txt]
"""

import sys
from pathlib import Path

import tiktoken
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

TEXT = "the quick brown fox jumps over the lazy dog, the slow bear sleeps under the old tree"
PATTERN = r"""\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


def by_known_pieces(text: str) -> list[int]:
    """Tokens of a small encoding: single bytes and a few common pieces."""
    ranks = {bytes([byte]): byte for byte in range(256)}
    for piece in (b"th", b"the", b"er", b"ow", b"ee"):
        ranks[piece] = len(ranks)
    small = tiktoken.Encoding(
        "small", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={"<|end|>": len(ranks)}
    )
    tokens = small.encode(f"{text}<|end|>", allowed_special="all")
    assert small.decode(tokens) == f"{text}<|end|>"
    return tokens


def by_trained_pieces(text: str) -> list[str]:
    """Tokens of a byte-pair encoding that is trained on the text itself."""
    tokenizer = Tokenizer(models.BPE(unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=40, special_tokens=["?"], show_progress=False)
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer.encode(text).tokens


def main() -> None:
    text = Path(sys.argv[1]).read_text() if len(sys.argv) > 1 else TEXT
    known, trained = by_known_pieces(text), by_trained_pieces(text)
    print(f"{len(text)} characters, {len(known)} known pieces, {len(trained)} trained pieces")
    print(f"trained: {' '.join(trained[:12])}")
    print(f"gpt-4 uses {tiktoken.encoding_name_for_model('gpt-4')}")
    print(f"registered: {', '.join(sorted(tiktoken.list_encoding_names()))}")


if __name__ == "__main__":
    main()
