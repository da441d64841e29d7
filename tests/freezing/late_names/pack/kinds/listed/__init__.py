"""Lists its modules, and imports none."""

__all__ = ["blue", "red"]
