"""Reading files that other people wrote, and keeping results from one run to the next."""
