"""The program's own kinds, which `kinds` looks for by this name."""

from importlib.metadata import entry_points


def origins():
    """What Nuitka answers while it compiles, without the distributions."""
    return [point.dist.name for point in entry_points(group="kinds.greeters")]
