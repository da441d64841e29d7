from .listed import *  # noqa: F403
