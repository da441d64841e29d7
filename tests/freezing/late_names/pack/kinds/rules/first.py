"""A module that nothing imports by a statement."""
