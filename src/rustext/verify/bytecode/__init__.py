"""What Python bytecode does, read without running it."""
