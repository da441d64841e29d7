"""Records of strings in binaries and of the evidence for an import."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

# --- strings ----------------------------------------------------------------------------------


class EvidenceKind(Enum):
    """Where the knowledge of an implicit import comes from, strongest first."""

    CONFIGURED = "configured"  # the user says so, in [tool.rustext]
    TRACED = "traced"
    PROBED = "probed"
    PLUGIN = "plugin"  # the distribution's Python code lists what is there
    PYTHON_CALL = "python-call"  # the distribution's Python code has it imported by its name
    IMPORT_CALL = "import-call"  # the string's address and length reach PyImport_Import
    EXACT_STRING = "exact-string"
    C_STRING = "c-string"
    CRATE_RULE = "crate-rule"
    PYTHON_NAME = "python-name"  # in the distribution's sources, where names are imported
    LOOSE_STRING = "loose-string"


@dataclass(frozen=True, slots=True, kw_only=True)
class StringRef:
    """A string in a binary whose bounds are known, and how they are known."""

    text: str
    offset: int  # of the first byte, from the start of the file
    kind: EvidenceKind  # IMPORT_CALL, EXACT_STRING, C_STRING or LOOSE_STRING
    detail: str  # what refers to it: "relocated (pointer, length) at 0x…", "lea at 0x…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Why a module is thought to be imported by native code."""

    kind: EvidenceKind
    where: str  # the file, with the offset where there is one
    detail: str
