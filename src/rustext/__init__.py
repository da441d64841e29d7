"""Make Python programs that use Rust extension modules survive freezing."""

__version__ = "0.1.0"
