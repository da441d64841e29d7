"""An exponent that is a multiple of three."""

from decimal import Decimal


def write(number: Decimal, unit: str) -> str:
    return f"{number.normalize().to_eng_string()} {unit}"
