"""A kind that nothing but a setting names."""

from kinds.queries import count

SAYS = "found in the shed"


def counted():
    """The rows of a list of its own."""
    tools = ["rake", "hoe"]  # noqa: F841
    return count("SELECT * FROM tools")
