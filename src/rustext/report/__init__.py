"""Render results for people and for machines.

In: records of `model` and `findings`. Out: text for a terminal, JSON, SARIF, or one page of HTML; a
module each. The same input always gives the same bytes; colour carries nothing that the words do
not say. Data goes to stdout, all else to stderr.
"""
