"""Checks of native files: libraries, symbols, run paths, and the systems that they need."""
