"""Run a bundle in isolation."""
