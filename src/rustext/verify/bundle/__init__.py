"""The contents of a finished bundle."""
