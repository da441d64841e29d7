"""Facts that several checks ask for."""
