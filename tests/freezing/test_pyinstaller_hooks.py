"""The hooks as PyInstaller runs them: repeatable, and side by side with everybody else's."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from lab import Frozen, Lab

from rustext.verify import verify_folder

pytestmark = [pytest.mark.freezing, pytest.mark.network]

TWENTY = {
    "orjson": "3.13.0", "rpds-py": "", "pydantic-core": "2.50.4", "ormsgpack": "1.13.1",
    "jiter": "", "bcrypt": "", "cryptography": "", "nh3": "", "blake3": "", "rtoml": "",
    "css-inline": "", "whenever": "", "tiktoken": "", "primp": "", "pycrdt": "", "python-bidi": "",
    "fastuuid": "", "uuid-utils": "", "watchfiles": "", "jsonschema-rs": "",
}  # fmt: skip
IMPORTS = """
import orjson, rpds, pydantic_core, ormsgpack, jiter, bcrypt, nh3, blake3, rtoml, css_inline
import whenever, tiktoken, primp, pycrdt, bidi, fastuuid, uuid_utils, watchfiles, jsonschema_rs
from cryptography.hazmat.primitives import hashes
digest = hashes.Hash(hashes.SHA256())
digest.update(b"twenty")
print(digest.finalize().hex()[:16], bidi.get_display("abc"), whenever.Instant.from_utc(2024, 1, 1))
"""


def pins() -> list[str]:
    return [f"{name}=={version}" if version else name for name, version in TWENTY.items()]


def native_hashes(frozen: Frozen) -> dict[str, str]:
    files = [p for p in frozen.bundle.rglob("*") if re.search(r"\.so(\.|$)", p.name)]
    return {
        str(p.relative_to(frozen.bundle)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def test_twenty_rust_packages_give_the_same_bundle_twice(lab: Lab, tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(IMPORTS)
    first, second = (
        lab.freeze("pyinstaller", script, *pins(), out=tmp_path / name, rustext=True)
        for name in ("one", "two")
    )
    names = [
        sorted(str(p.relative_to(frozen.bundle)) for p in frozen.bundle.rglob("*"))
        for frozen in (first, second)
    ]
    assert names[0] == names[1]
    assert native_hashes(first) == native_hashes(second)
    ended = first.run(hide=[tmp_path])
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == lab.run_unfrozen(script, *pins())
    assert verify_folder(first.bundle).ok
    # Hooks that others bring for the same distributions are run as they would be without us.
    for name in ("cryptography", "bcrypt", "orjson"):
        assert re.search(rf"hook 'hook-{name}\.py' from .*_pyinstaller_hooks_contrib", first.log)
        assert re.search(rf"hook 'hook-{name}\..+\.py' from .*rustext", first.log)
