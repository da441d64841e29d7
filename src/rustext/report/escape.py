"""Make names printable: what a path or a string table holds need not be text.

In: any string, lone surrogates of undecodable bytes included (PEP 383). Out: one line of text that
every encoding and every terminal takes. Each renderer sends what it did not write itself through
here, so that a file's name can neither break a line nor drive a terminal.
"""

from __future__ import annotations

import re

# What CI systems take for commands: GitHub's and Azure's runners `##[error]` and `##vso[…]`, and
# TeamCity `##teamcity[…]`, anywhere in a line; GitHub `::add-mask::`, at its start or after blanks.
# https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
# https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands
# https://www.jetbrains.com/help/teamcity/service-messages.html
# GitLab's section_start needs a carriage return, which is never printed.
_HASHES = re.compile(r"##(?=(?:vso|teamcity)?\[)", re.IGNORECASE)
_COLONS = re.compile(r"(?<![^ ])::")


def one_line(text: str) -> str:
    r"""The text with its unprintable characters as escapes: `a\nb`, `\x1b`, `\udcff`, `\u202e`.

    Unprintable is what `str.isprintable` says: control and format characters (those that turn the
    direction of writing are among them), surrogates, and spaces other than the common one. What a
    CI system would take for a command is broken in the same way: `#\x23[error]`, `:\x3aadd-mask::`.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return _COLONS.sub(r":\\x3a", _HASHES.sub(r"#\\x23", text))


def json_text(text: str) -> str:
    """A JSON document in which CI systems find no commands: number signs are in strings alone."""
    return _HASHES.sub(r"#\\u0023", text)
