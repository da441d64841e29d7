"""Checks of what Python finds in the bundle: modules, suffixes, and the ABI."""
