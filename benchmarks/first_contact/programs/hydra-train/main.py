"""Experiments composed by Hydra: configuration files on disk, tokenizers instantiated from class paths, structured configs, saved tensors."""
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.utils import get_class, instantiate
from omegaconf import MISSING, OmegaConf
from safetensors import safe_open
from safetensors.numpy import save_file

FILES = {
    "config.yaml": "defaults:\n  - base\n  - tok: bpe\n  - _self_\nseed: 3\nname: ${tok.kind}-${seed}\n",
    "tok/bpe.yaml": """kind: bpe
model: {_target_: tokenizers.Tokenizer, model: {_target_: tokenizers.models.BPE, unk_token: "[UNK]"}}
pre: {_target_: tokenizers.pre_tokenizers.Whitespace}
trainer: {_convert_: all, _target_: tokenizers.trainers.BpeTrainer, vocab_size: 60, show_progress: false, special_tokens: ["[UNK]"]}
""",
    "tok/unigram.yaml": """kind: unigram
model: {_target_: tokenizers.Tokenizer, model: {_target_: tokenizers.models.Unigram}}
pre: {_target_: tokenizers.pre_tokenizers.Metaspace}
trainer: {_convert_: all, _target_: tokenizers.trainers.UnigramTrainer, vocab_size: 40, show_progress: false, unk_token: "<unk>", special_tokens: ["<unk>"]}
""",
}
TEXT = ["the cat sat on the mat", "the dog sat on the log", "cats and dogs and logs"] * 5


@dataclass
class Optim:
    lr: float = 0.1
    decay: list[float] = field(default_factory=lambda: [0.9, 0.99])


@dataclass
class Base:
    seed: int = MISSING
    name: str = "x"
    optim: Optim = field(default_factory=Optim)
    tok: dict = field(default_factory=dict)


ConfigStore.instance().store(name="base", node=Base)
OmegaConf.register_new_resolver("double", lambda x: 2 * x)


def train(cfg, out):
    tok = instantiate(cfg.tok.model)
    tok.pre_tokenizer = instantiate(cfg.tok.pre)
    tok.train_from_iterator(TEXT, instantiate(cfg.tok.trainer))
    ids = tok.encode("the cat and the dog").ids
    rng = np.random.default_rng(cfg.seed)
    w = rng.normal(size=(tok.get_vocab_size(), 4)).astype("float32")
    for step in range(20):
        w[ids] -= cfg.optim.lr * cfg.optim.decay[0] ** step * w[ids]
    save_file({"w": w}, out / f"{cfg.name}.safetensors", metadata={"cfg": OmegaConf.to_yaml(cfg.optim)})
    return len(ids)


def main():
    with tempfile.TemporaryDirectory() as t:
        t = Path(t)
        (t / "tok").mkdir()
        for name, text in FILES.items():
            (t / name).write_text(text)
        sizes = {}
        with initialize_config_dir(str(t), version_base="1.3"):
            for over in ([], ["tok=unigram", "optim.lr=0.5", "+extra=${double:4}"]):
                cfg = compose("config", overrides=over)
                sizes[cfg.name] = train(cfg, t)
            try:
                compose("config", overrides=["optim.lr=fast"])
                bad = None
            except Exception as e:
                bad = type(e).__name__
        with safe_open(str(t / "unigram-3.safetensors"), "numpy") as f:
            meta, shape = f.metadata()["cfg"].split()[1], f.get_slice("w").get_shape()
    cls = get_class("tokenizers.normalizers.Lowercase")
    print("OK", sorted(sizes), bad, meta, shape[1], cfg.extra, cls().normalize_str("ABC"))


if __name__ == "__main__":
    main()
