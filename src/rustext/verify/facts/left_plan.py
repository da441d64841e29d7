"""Find the plan that a freezer left in a bundle."""

from __future__ import annotations

from pathlib import Path

from rustext.model.plan import BuildPlan
from rustext.plan.plan_file import PLAN_FILE, read_plan
from rustext.verify.bundle.bundle import Bundle


def find_plan(bundle: Bundle, file: Path | None = None) -> BuildPlan | None:
    """The plan in `file`, or else the one that was left in the bundle; None without either.

    Raises `UnreadableFile` or `InvalidPlan`.
    """
    left = bundle.contents / PLAN_FILE
    if file is None and not left.is_file():
        return None
    return read_plan(file or left)
