"""Does by name and by path what no freezer can read off the source."""
