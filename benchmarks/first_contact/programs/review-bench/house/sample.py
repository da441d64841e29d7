"""A code base to be reviewed when none is given."""
FILES = {
    "shop/__init__.py": "",
    "shop/till.py": '''"""The till."""
import os
import json
from .stock import level
def total(lines, extras=[]):
    """Sum up."""
    price = 0.5
    for line in lines:
        for n in range(line):
            extras.append(lambda: n)
    try:
        price += sum(lines)
    except:
        pass
    print(price)
    return price
def path(name):
    """Where it is kept."""
    return os.path.join("data", name, "till.json")
''',
    "shop/stock.py": '''"""The stock."""


def level(n, low=3):
    """How full it is."""
    if n < 0:
        raise ValueError(n)
    if n == 0:
        return "empty"
    if n < low:
        return "low"
    return "full"


class Shelf:
    """A shelf."""

    def __init__(self):
        self.items = {}

    def put(self, name, n):
        """Put some."""
        self.items[name] = self.itmes.get(name, 0) + n
''',
    "tests_shop.py": '''import unittest
from shop.stock import level


class Levels(unittest.TestCase):
    def test_full(self):
        self.assertEqual(level(9), "full")

    def test_low(self):
        self.assertEqual(level(1), "low")

    def test_negative(self):
        with self.assertRaises(ValueError):
            level(-1)
''',
    "pyproject.toml": '''# settings of the review
[tool.bench]
fail_under = 60
max_complexity = 4
plugins = ["house.rules", "pylint.extensions.docparams", "pylint.extensions.mccabe"]

[tool.coverage.run]
branch = true
source = ["shop"]

[tool.isort]
profile = "black"
known_first_party = ["shop"]
''',
}
