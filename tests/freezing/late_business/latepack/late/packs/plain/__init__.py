"""A package that a listing finds."""

WORD = "plain"
