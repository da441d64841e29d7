"""A class that a pickle names."""


class Model:
    """A model."""
