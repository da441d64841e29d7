"""Repair what verification finds in a finished bundle."""
