"""Tasks, blocks and flows of the mill."""
