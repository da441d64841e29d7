"""The machines and the Python that a bundle is meant for."""
