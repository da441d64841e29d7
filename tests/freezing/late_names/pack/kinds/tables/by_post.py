"""By post."""
