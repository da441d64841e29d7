"""Make Python programs that use Rust extension modules survive freezing."""

from __future__ import annotations

__version__ = "0.1.0"
