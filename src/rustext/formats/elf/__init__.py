"""ELF files, read as the dynamic loader reads them."""
