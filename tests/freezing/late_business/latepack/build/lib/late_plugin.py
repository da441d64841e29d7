"""Found by its entry point alone."""


def greet() -> str:
    return "good day"
