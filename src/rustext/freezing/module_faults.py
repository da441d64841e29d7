"""What keeps a freezer from reading the file of a module that it is told to include.

In: the file, and the planner of the build. Out: the reason, in the words that the faults of
distributions have, so that each is said once.
"""

from __future__ import annotations

from pathlib import Path

from rustext.discovery.extension_suffixes import split_suffix
from rustext.discovery.file_faults import find_code_fault
from rustext.errors import RustextError
from rustext.files.untrusted import find_obstacle
from rustext.plan.planner import Planner


def find_module_fault(path: Path, planner: Planner) -> str:
    """Why a freezer would end at a module's file, or cannot read it; "" where it can."""
    if obstacle := find_obstacle(path):
        return obstacle
    try:
        if split_suffix(path.name)[1] is not None:
            planner.catalogue.read_file(path)
            return ""
        facts = planner.facts_of(path)
        if facts is not None:
            return facts.broken and f"it does not compile ({facts.broken})"
        is_own = planner.env.site_of(path) is not None  # and not the standard library's
        return find_code_fault(path) if is_own else ""
    except RustextError as error:
        return str(error).removeprefix(f"cannot read `{path}`: ")
    except OSError as error:
        return (error.strerror or str(error)).lower()
