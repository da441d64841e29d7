"""Modules and files that code asks for late, a function for each kind."""

import importlib
import logging.config
import pickle
import pkgutil
from importlib import import_module as load
from importlib import metadata
from pathlib import Path

from . import rules
from .chain import Importer
from .runner import run_all


def manage(group):
    """The plugins of a group that the caller names."""
    return {point.name: point.load() for point in metadata.entry_points(group=group)}


def plugin_of_a_group_that_is_handed_on():
    return manage("kinds.greeters")["polite"]()


def modules_of_a_listed_package():
    names = [m.name for m in pkgutil.walk_packages(rules.__path__, f"{rules.__name__}.")]
    return [importlib.import_module(name).__name__ for name in names]


def modules_of_listed_files():
    folder = Path(__file__).parent / "found"
    names = sorted(file.stem for file in folder.glob("*.py") if file.stem != "__init__")
    return [importlib.import_module(f"kinds.found.{name}").__name__ for name in names]


def modules_of_numbered_files():
    files = sorted(Path(__file__).parent.glob("chapters/[0-9]*.py"))
    return [importlib.import_module("kinds.chapters." + file.stem).TITLE for file in files]


def module_with_another_spelling(name="by-mail"):
    return importlib.import_module("kinds.tables." + name.replace("-", "_")).__name__


def attributes_of_a_stub():
    lazy = importlib.import_module("kinds.lazy")
    return lazy.answer, lazy.part.NAME


def files_of_classes():
    from .widgets import Widget

    return Widget.described


def stubs_in_a_folder():
    folder = Path(__file__).parent / "stubs" / "stdlib"
    return [file.name for file in sorted(folder.iterdir())]


def metadata_of_several():
    return [metadata.version(name) for name in ("rustext-late-names",)]


def class_path_in_a_file_of_the_package():
    lines = Path(__file__).with_name("handlers.yaml").read_text().splitlines()
    module, _, name = lines[-1].partition(": ")[2].rpartition(".")
    return getattr(importlib.import_module(module), name).__name__


def module_that_a_renamed_function_imports(name=".tables.by_post"):
    return load(name, __package__).__name__


def modules_that_map_imports():
    return [m.__name__ for m in map(importlib.import_module, ("kinds.tables.by_hand",))]


def module_in_the_second_argument():
    def need(reason, module):
        return importlib.import_module(module).__name__

    return need("tests", "kinds.tables.by_air")


def class_of_a_logging_filter():
    table = {"version": 1, "filters": {"one": {"()": "kinds.tables.filters.Quiet"}}}
    logging.config.dictConfig(table)
    return "configured"


def class_in_a_pickle():
    return type(pickle.loads(Path(__file__).with_name("model.pkl").read_bytes())).__name__


def file_whose_name_is_completed(number=3):
    return Path(__file__).with_name(f"level-{number}").read_text().strip()


def module_that_another_module_imports(kind="fast"):
    name = "kinds.chained." + kind
    return Importer().import_thing(name).__name__


def files_that_another_module_runs():
    return run_all(Path(__file__).parent / "steps")


def modules_that_a_package_exports():
    from . import everything

    return everything.red.__name__, everything.blue.__name__


def attribute_of_the_package_itself():
    return importlib.import_module(__name__).letter.__name__


def __getattr__(name):
    """An attribute whose module is loaded when somebody asks for it."""
    where = {"letter": "tables.by_post"}.get(name)
    if where is None:
        raise AttributeError(name)
    return load(f".{where}", package=__name__)


def custom(name):
    """A module of a package that programs may have for their own kinds."""
    custom_name = f"custom_kinds.{name}"
    return importlib.import_module(custom_name)
