"""Named in a settings file alone."""

import logging


class Plain(logging.Formatter):
    """A formatter."""
