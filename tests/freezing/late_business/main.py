"""A program whose package does everything late."""

import importlib.util
from pathlib import Path

from late import work

print(work.choose())
print(work.rules())
print(work.tables())
print(work.plugins())
print(work.version())
print(work.shown())
print((Path(__file__).parent / "own" / "greeting").read_text().strip())
print(importlib.util.find_spec("late_plugin") is not None)
