"""Facts about native files: their libraries, symbols, and the systems that they need."""
