"""What a file of the package names."""


class Answer:
    """An answer."""
