"""One build of a freezer, as modules enter it."""
