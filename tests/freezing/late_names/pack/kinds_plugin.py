"""Found by its entry point alone."""


def greet():
    return "good day"
