"""Make names printable: what a path or a string table holds need not be text.

In: any string, lone surrogates of undecodable bytes included (PEP 383). Out: one line of text that
every encoding and every terminal takes. Each renderer sends what it did not write itself through
here, so that a file's name can neither break a line nor drive a terminal.
"""

from __future__ import annotations


def one_line(text: str) -> str:
    r"""The text with its unprintable characters as escapes: `a\nb`, `\x1b`, `\udcff`, `\u202e`.

    Unprintable is what `str.isprintable` says: control and format characters (those that turn the
    direction of writing are among them), surrogates, and spaces other than the common one.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
