"""Try each kind of late name, and say which of them works."""

import json
import logging.config
import multiprocessing
import runpy
from importlib import metadata
from importlib.resources import files
from pathlib import Path

import custom_kinds
import kinds
import orjson
from kinds.queries import count
from kinds.sources import tool


def class_path_in_a_file():
    settings = json.loads(Path(__file__).with_name("logging.json").read_text())
    logging.config.dictConfig(settings)
    return "configured"


def polite():
    return "polite"


def source_of_the_program():
    return tool(polite).source


def metadata_that_the_program_asks_for():
    return [bool(metadata.version(name)) for name in ("rustext-late-names", "orjson")]


def distributions_of_entry_points():
    return custom_kinds.origins()


def file_of_a_package_that_the_program_names():
    return (files("kinds.words") / "greetings").read_text().strip()


def file_that_the_program_runs_by_its_path():
    return runpy.run_path(str(Path(__file__).parent / "recipes" / "soup.py"))["TASTE"]


def module_of_the_program_that_a_package_looks_for():
    return kinds.custom("".join(["s", "hed"])).SAYS


def count_fruit():
    fruit = ["fig", "plum", "pear"]  # noqa: F841
    return count("SELECT * FROM fruit")


def variables_that_queries_name():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return count_fruit(), pool.apply(count_fruit), kinds.custom("shed").counted()


KINDS = [
    kinds.plugin_of_a_group_that_is_handed_on,
    kinds.modules_of_a_listed_package,
    kinds.modules_of_listed_files,
    kinds.modules_of_numbered_files,
    kinds.module_with_another_spelling,
    kinds.attributes_of_a_stub,
    kinds.files_of_classes,
    kinds.stubs_in_a_folder,
    kinds.metadata_of_several,
    kinds.class_path_in_a_file_of_the_package,
    kinds.module_that_a_renamed_function_imports,
    kinds.modules_that_map_imports,
    kinds.module_in_the_second_argument,
    kinds.class_of_a_logging_filter,
    kinds.class_in_a_pickle,
    kinds.file_whose_name_is_completed,
    kinds.module_that_another_module_imports,
    kinds.files_that_another_module_runs,
    kinds.modules_that_a_package_exports,
    kinds.attribute_of_the_package_itself,
    source_of_the_program,
    class_path_in_a_file,
    metadata_that_the_program_asks_for,
    distributions_of_entry_points,
    file_of_a_package_that_the_program_names,
    file_that_the_program_runs_by_its_path,
    module_of_the_program_that_a_package_looks_for,
    variables_that_queries_name,
]

if __name__ == "__main__":
    multiprocessing.freeze_support()
    for kind in KINDS:
        try:
            said = orjson.dumps(kind()).decode()
        except Exception as error:  # noqa: BLE001
            said = type(error).__name__
        print(kind.__name__, said)
