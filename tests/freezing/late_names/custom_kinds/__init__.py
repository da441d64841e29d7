"""The program's own kinds, which `kinds` looks for by this name."""
