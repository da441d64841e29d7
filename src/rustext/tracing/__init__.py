"""Record what a program imports while it runs."""
