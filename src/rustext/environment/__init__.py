"""What can be imported in an environment, and which distribution owns it."""
