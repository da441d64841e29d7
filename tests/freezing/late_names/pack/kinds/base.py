"""A class that is described as it is made."""

from .sources import Described


class Base(metaclass=Described):
    """A base."""
