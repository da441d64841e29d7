"""A small harbour office as a web service."""
