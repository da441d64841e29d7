"""Member administration of a sports club."""
