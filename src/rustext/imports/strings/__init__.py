"""The names that code and data refer to, and those that reach Python's import."""
