"""Programs that fail when frozen, because only Rust code imports something, and pass with rustext.

Each test holds both halves: what fails without rustext, with the message that a customer would
see, and what the same program prints with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from lab import Lab

from rustext.api import verify
from rustext.model.findings import Severity

pytestmark = [pytest.mark.freezing, pytest.mark.network]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A program, what it needs, and the words with which it fails without rustext."""

    name: str
    freezer: str
    requirements: tuple[str, ...]
    source: str
    fails_with: str
    missing_import: str | None = None

    def __str__(self) -> str:
        return f"{self.name}-{self.freezer}"


CASES = (
    Case(
        name="ormsgpack",
        freezer="nuitka",
        requirements=("ormsgpack==1.13.1",),
        source='import ormsgpack; print(ormsgpack.unpackb(ormsgpack.packb({"a": 1})))',
        fails_with="No module named 'uuid'",
        missing_import="uuid",
    ),
    Case(
        name="pydantic_core",
        freezer="pyinstaller",
        requirements=("pydantic-core==2.50.4",),
        source="""
from pydantic_core import SchemaValidator, core_schema
schema = core_schema.uuid_schema()
print(SchemaValidator(schema).validate_python("12345678123456781234567812345678"))
""",
        fails_with="No module named 'uuid'",
        missing_import="uuid",
    ),
    Case(
        name="oso",
        freezer="pyinstaller",
        requirements=("oso==0.27.3",),
        source="""
from oso import Oso
oso = Oso()
oso.load_str("f(1); f(2);")
print(sorted(x["bindings"] == {} for x in oso.query_rule("f", 1)))
""",
        fails_with="_cffi_backend",
    ),
    # Libraries that Python code opens by path, so that no freezer sees them.
    *(
        Case(
            name="nostr_sdk",
            freezer=freezer,
            requirements=("nostr-sdk==0.45.1",),
            source="""
from nostr_sdk import Keys
key = "nsec1j4c6269y9w0q2er2xjw8sv2ehyrtfxq3jwgdlxj6qfn8z4gjsq5qfvfk99"
print(Keys.parse(key).public_key().to_hex())
""",
            fails_with="libnostr_sdk_ffi.so",
        )
        for freezer in ("pyinstaller",)
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_program_fails_without_rustext(case: Case, lab: Lab, tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(case.source)
    out = tmp_path / "build"
    frozen = lab.freeze(case.freezer, script, *case.requirements, out=out, rustext=False)
    ended = frozen.run(hide=[tmp_path])
    assert ended.code != 0
    assert case.fails_with in ended.stderr
    if case.missing_import is not None:
        errors = [f for f in verify(frozen.bundle).findings if f.severity is Severity.ERROR]
        assert (case.missing_import, "missing-import") in {(f.subject, f.id) for f in errors}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_program_passes_with_rustext(case: Case, lab: Lab, tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(case.source)
    out = tmp_path / "build"
    frozen = lab.freeze(case.freezer, script, *case.requirements, out=out, rustext=True)
    ended = frozen.run(hide=[tmp_path])
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.stdout == lab.run_unfrozen(script, *case.requirements)
    assert verify(frozen.bundle).ok
