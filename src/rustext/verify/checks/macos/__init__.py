"""Checks of what only macOS has: install names and signatures."""
