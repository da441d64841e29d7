"""Unpack one-file programs."""
