"""Straight-line disassembly, one module an architecture."""
