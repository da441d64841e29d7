"""Checks of what the program did when it ran."""
