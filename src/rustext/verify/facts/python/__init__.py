"""Facts about the Python of a bundle and the modules that it holds."""
