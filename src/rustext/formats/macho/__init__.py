"""Mach-O files, read as dyld reads them."""
