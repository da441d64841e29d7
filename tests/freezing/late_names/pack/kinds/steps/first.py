from kinds.tables.by_rail import NAME as SAID  # noqa: F401
