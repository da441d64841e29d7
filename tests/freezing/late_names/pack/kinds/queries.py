"""Queries over the lists in their caller's variables."""

import sys


def count(query):
    """The rows of `SELECT * FROM variable`."""
    return len(sys._getframe(1).f_locals[query.split()[-1]])
