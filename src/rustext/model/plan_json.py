"""JSON form of planned imports and companions, shared by plan files and reports."""

from __future__ import annotations

from typing import Any

from rustext.model.plan import Companion, ImplicitImport, RecordEffect


def import_json(implicit: ImplicitImport) -> dict[str, Any]:
    """One implicit import with its evidence, strongest first."""
    return {
        "module": implicit.module,
        "verdict": implicit.verdict.value,
        "reason": implicit.reason,
        "evidence": [
            {"kind": e.kind.value, "where": e.where, "detail": e.detail} for e in implicit.evidence
        ],
    }


def companion_json(companion: Companion) -> dict[str, Any]:
    """One companion; `file` is its place in the bundle."""
    return {
        "file": str(companion.destination),
        "kind": companion.kind.value,
        "reason": companion.reason,
    }


def effect_json(effect: RecordEffect) -> dict[str, Any]:
    """What a record adds to a plan."""
    return {
        "modules": list(effect.modules),
        "files": list(map(str, effect.files)),
        "size": effect.size,
        "unused_modules": list(effect.unused_modules),
        "unused_files": list(map(str, effect.unused_files)),
        "unused_size": effect.unused_size,
    }
