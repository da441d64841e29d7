"""Decoding under a JSON schema, as a real server does it, over a character vocabulary."""
import json
import string
from functools import lru_cache

from outlines_core import Guide, Index, Vocabulary
from outlines_core.json_schema import build_regex_from_schema

EOS = 0
CHARS = {c: [i + 1] for i, c in enumerate(string.ascii_letters + string.digits + ' .,:;-_"{}[]')}
TEXT = {ids[0]: c for c, ids in CHARS.items()}


@lru_cache(maxsize=32)
def index_for(schema: str) -> Index:
    return Index(build_regex_from_schema(schema, whitespace_pattern=""), Vocabulary(EOS, CHARS))


def generate(schema: dict, wish: dict) -> tuple[str, int]:
    """Follows the wish as long as the schema lets it, takes the first allowed character otherwise."""
    properties = schema.get("properties", {})
    wanted = json.dumps({k: wish[k] for k in properties if k in wish}, separators=(",", ":"))
    guide = Guide(index_for(json.dumps(schema)))
    out, position = [], 0
    while not guide.is_finished() and len(out) < 400:
        allowed = set(guide.get_tokens())
        token = CHARS.get(wanted[position], [-1])[0] if position < len(wanted) else EOS
        if token not in allowed:
            token = min(allowed - {EOS}) if allowed - {EOS} else EOS
        if token == EOS:
            break
        position += 1
        out.append(TEXT[token])
        guide.advance(token)
    return "".join(out), len(out)
