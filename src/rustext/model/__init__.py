"""Records that pass between stages."""
