"""Which libraries an environment offers to a bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from environments import environment, write_files

from rustext.config import Config
from rustext.environment.environment import Environment
from rustext.formats.binary import read_linkage
from rustext.repair.origin import Origin


def test_libraries_of_windows_are_found_where_python_has_them_in_any_case(
    tmp_path: Path, pe_module: Path, elf_module: Path
) -> None:
    own = {"python311.dll": pe_module, "DLLs/LIBFFI-8.dll": pe_module, "lib/liba.so": elf_module}
    write_files(tmp_path, own)
    facts = environment(tmp_path / "site").interpreter
    origin = Origin(Environment(replace(facts, prefixes=(str(tmp_path),))), Config())
    windows, linux = read_linkage(pe_module).image, read_linkage(elf_module).image
    for name, image, expected in (
        ("Python311.dll", windows, "python311.dll"),
        ("libffi-8.dll", windows, "DLLs/LIBFFI-8.dll"),
        ("python311.dll", linux, None),
        ("liba.so", linux, "lib/liba.so"),
        ("libA.so", linux, None),
    ):
        found = origin.find_library(name, image)
        assert (found[0] if found else None) == (tmp_path / expected if expected else None), name
