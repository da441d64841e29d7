"""Commands and stand-in of the stack console."""
