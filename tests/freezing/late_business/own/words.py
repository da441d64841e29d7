"""A module of the program, with a local variable that other code reads."""

from late import work


def remembered() -> str:
    secret = "of words"  # noqa: F841
    return work.named("secret")
