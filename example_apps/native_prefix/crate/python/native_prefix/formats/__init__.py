"""Ways to write a number. Rust puts together the name of the one that is asked for."""
