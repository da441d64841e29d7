"""Packages that nothing names."""
