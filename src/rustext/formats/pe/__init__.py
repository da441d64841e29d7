"""PE files, read as Windows' loader reads them."""
