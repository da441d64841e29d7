"""PyInstaller's fixtures (https://pyinstaller.org/en/stable/hooks.html#provide-hooks-with-package)."""

from PyInstaller.utils.conftest import *  # noqa: F403  (as PyInstaller asks for it)
