"""Runs the Python files of a folder that it is handed."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def run_all(folder):
    said = []
    for file in sorted(Path(folder).rglob("[a-z]*.py")):
        spec = spec_from_file_location(file.stem, file)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        said.append(module.SAID)
    return said
