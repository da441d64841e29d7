"""By air."""
