"""What to tell a user whose frozen program lacks something: make a record of a run."""

from __future__ import annotations

from rustext.tracing.trace_file import DEFAULT_FILE


def propose_record(*, command: str = "", recorded: bool = False) -> str:
    """One line that proposes a record after a frozen program has failed.

    `command` is `[tool.rustext] record`; `recorded` is whether the build had a record.
    """
    if command:
        again = "refresh the record" if recorded else "make the record"
        return f"{again} with `rustext record`, and freeze again"
    if recorded:
        return (
            "the record does not hold this part of the program: run `rustext trace` with the same "
            "arguments, join both with `rustext trace merge`, and freeze again"
        )
    return (
        f"if the program runs unfrozen, record it: `rustext trace -- SCRIPT ARGS`, "
        f'`[tool.rustext] trace = "{DEFAULT_FILE}"`, and freeze again'
    )
