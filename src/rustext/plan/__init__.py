"""Plan what a freezer must add for a program's Rust extensions."""
