"""What Nuitka is told, in its words."""
