"""Classes of that base."""

from .base import Base


class Widget(Base):
    """A widget."""
