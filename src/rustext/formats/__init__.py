"""What a native file says of itself, in any of the three formats."""
