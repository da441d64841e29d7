"""A program whose package does everything late."""

import importlib.util
from pathlib import Path

from late import work
from own import words


def remembered() -> str:
    """Read by its name, which Nuitka has compiled away."""
    secret = "of main"  # noqa: F841
    return work.named("secret")


def cube(number: int) -> int:
    return number**3


print(work.choose())
print(work.rules())
print(work.packs())
print(work.tables())
print(work.plugins())
print(work.version())
print(work.shown())
print((Path(__file__).parent / "own" / "greeting").read_text().strip())
print(importlib.util.find_spec("late_plugin") is not None)
print(remembered(), words.remembered(), words.compared(), work.is_same(words.square, cube))
