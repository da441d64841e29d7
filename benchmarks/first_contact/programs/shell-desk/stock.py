"""What the seed store keeps: checked by pydantic, found by sound and spelling through jellyfish, sealed by cryptography."""
import base64
import json

import jellyfish
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import BaseModel, Field, TypeAdapter


class Seed(BaseModel):
    name: str = Field(min_length=3)
    grams: float = Field(gt=0)
    price: float = Field(ge=0)
    family: str = "unknown"


SEEDS = TypeAdapter(list[Seed])


class Store:
    def __init__(self):
        self.seeds = {}

    def add(self, seed):
        self.seeds[seed.name.lower()] = seed

    def near(self, word, top=3):
        """Names that sound alike come first, then those that are spelt alike."""
        sound = jellyfish.metaphone(word)
        ranked = sorted(self.seeds.values(), key=lambda s: (jellyfish.metaphone(s.name) != sound, -jellyfish.jaro_winkler_similarity(word.lower(), s.name.lower()), s.name))
        return [(s.name, jellyfish.levenshtein_distance(word.lower(), s.name.lower()), jellyfish.soundex(s.name)) for s in ranked[:top]]

    def by_family(self):
        sums = {}
        for seed in self.seeds.values():
            sums[seed.family] = sums.get(seed.family, 0) + seed.grams
        return dict(sorted(sums.items()))

    @staticmethod
    def box(password):
        kdf = Scrypt(salt=b"seed store salt!", length=32, n=2**12, r=8, p=1)
        return Fernet(base64.urlsafe_b64encode(kdf.derive(password.encode())))

    def seal(self, password):
        return self.box(password).encrypt(SEEDS.dump_json(list(self.seeds.values())))

    def unseal(self, password, data):
        try:
            found = SEEDS.validate_json(self.box(password).decrypt(data))
        except InvalidToken:
            raise ValueError("wrong password or a broken file") from None
        for seed in found:
            self.add(seed)
        return len(found)

    def load(self, text):
        found = SEEDS.validate_python(json.loads(text))
        for seed in found:
            self.add(seed)
        return len(found)
