"""By hand."""
