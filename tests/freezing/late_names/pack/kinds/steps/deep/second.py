from kinds.tables.by_sea import NAME as SAID  # noqa: F401
