"""Find the plan that a freezer left in a bundle."""

from __future__ import annotations

from pathlib import Path

from rustext.errors import InvalidPlan, RustextError, UnreadableFile
from rustext.model.plan import BuildPlan
from rustext.plan.plan_file import PLAN_FILE, read_plan
from rustext.verify.bundle.bundle import Bundle


def find_plan(bundle: Bundle, file: Path | None = None) -> BuildPlan | None:
    """The plan in `file`, or else the one that was left in the bundle; None without either.

    Raises `UnreadableFile` or `InvalidPlan` for `file`. A plan in the bundle that cannot be read is
    none; `why_unread` says why.
    """
    if file is not None:
        return read_plan(file)
    plan = _read_left(bundle)
    return plan if isinstance(plan, BuildPlan) else None


def why_unread(bundle: Bundle) -> str | None:
    """Why the plan that was left in the bundle cannot be read; None where it can, or is not."""
    plan = _read_left(bundle)
    return str(plan) if isinstance(plan, RustextError) else None


def _read_left(bundle: Bundle) -> BuildPlan | RustextError | None:
    left = bundle.contents / PLAN_FILE
    try:
        return read_plan(left, PLAN_FILE) if left.is_file() else None
    except (InvalidPlan, UnreadableFile) as error:
        return error
