"""Judge whether a finished bundle stands alone."""
