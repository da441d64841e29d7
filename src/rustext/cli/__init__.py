"""The command line: arguments, and one module for each command."""
