"""All digits."""

from decimal import Decimal


def write(number: Decimal, unit: str) -> str:
    return f"{number:f} {unit}"
