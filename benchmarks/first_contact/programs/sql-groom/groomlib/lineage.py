"""Tables and columns that a parsed file touches."""
from collections import Counter


def tables_of(tree):
    return sorted({seg.raw for seg in tree.recursive_crawl("table_reference")})


def shape_of(tree):
    wanted = ("select_statement", "join_clause", "common_table_expression", "function")
    return Counter(seg.get_type() for seg in tree.recursive_crawl(*wanted))
