"""A module of the program, with a local variable that other code reads."""

from late import work


def remembered() -> str:
    secret = "of words"  # noqa: F841
    return work.named("secret")


def square(number: int) -> int:
    return number**2


def compared() -> bool:
    """Whether two functions are the same, of which compiled ones have the same bytecode: none."""
    return work.is_same(square, remembered)
