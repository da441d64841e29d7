"""A package that is not asked for."""
