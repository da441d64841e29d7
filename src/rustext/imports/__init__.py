"""Which modules native code imports, with the evidence."""
