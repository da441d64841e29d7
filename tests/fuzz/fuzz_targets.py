"""What reads untrusted bytes, as functions that take them; shared by two ways of trying them.

Each ends with an answer, or with an error of rustext's own; anything else is a fault.
"""

from __future__ import annotations

import io
import mmap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from rustext.config import parse_config
from rustext.discovery.sboms import parse_sbom, parse_sbom_targets
from rustext.environment import python_text
from rustext.environment.python_source import parse_source
from rustext.errors import RustextError
from rustext.formats.binary import parse_binary
from rustext.formats.elf.image import parse_elf_symbols
from rustext.formats.elf.loader_checks import iter_refusals
from rustext.formats.elf.symbol_lookup import parse_elf_offered, parse_elf_wanted
from rustext.formats.macho.code_signature import iter_damage, parse_signature
from rustext.formats.macho.property_lists import parse_plist
from rustext.formats.marshal_reader import parse_code, parse_marshal
from rustext.formats.toml import parse_toml
from rustext.imports.strings.name_refs import iter_strings
from rustext.loaders.ld_so_cache import parse_ld_cache
from rustext.model.image import Format
from rustext.plan.plan_file import parse_plan
from rustext.tracing.trace_file import format_trace, parse_trace
from rustext.verify.bundle.nuitka_code import find_texts
from rustext.verify.bundle.pyinstaller_archive import inflate, parse_archive
from rustext.verify.bytecode.module_code import find_imports
from rustext.verify.bytecode.opened_names import find_openings
from rustext.verify.bytecode.sought_files import data_files
from rustext.verify.onefile.nuitka_payload import Layout, iter_entries

KNOWN: Mapping[str, object] = {"__name__": "a", "sys.platform": "linux"}
PYTHONS = ((3, 10), (3, 11), (3, 12), (3, 14))


@contextmanager
def mapped(data: bytes) -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, max(len(data), 1)) as room:
        room.write(data)
        yield room


def native(data: bytes) -> None:
    binary = parse_binary(memoryview(data), Path("x"))
    for image in binary.images:
        with suppress(RustextError):
            list(iter_strings(image, data))
        if image.format is Format.ELF:
            list(iter_refusals(data, image.versions))
            for reader in (parse_elf_symbols, parse_elf_wanted, parse_elf_offered):
                with suppress(RustextError):
                    reader(data)
        elif (signature := parse_signature(data, image)) is not None:
            list(iter_damage(data, image, signature))


def archive(data: bytes) -> None:
    with mapped(data) as room:
        found = parse_archive(room)
        for stored in found.code if found is not None else ():
            with suppress(RustextError):
                inflate(room[stored.offset : stored.offset + stored.size], stored)


def payload(data: bytes) -> None:
    kind, rest = data[:1], data[1:]
    bits = kind[0] if kind else 0
    layout = Layout(start=0, compressed=bool(bits & 1), archive=bool(bits & 2),
                    checksums=bool(bits & 4), windows=bool(bits & 8))  # fmt: skip
    for entry in iter_entries(io.BytesIO(rest), layout):
        for _ in entry.chunks:
            pass


def code(data: bytes) -> None:
    python = PYTHONS[(data or b"\0")[0] % len(PYTHONS)]
    read = parse_code(data[1:], python)
    find_imports(read, python, KNOWN)
    find_openings(read, python, KNOWN)
    find_openings(read, python, KNOWN, data_files())


def source(data: bytes) -> None:
    parse_source(data)
    text = data.decode("utf-8", "replace")
    for reader in (python_text.iter_modules, python_text.iter_imported, python_text.iter_relative):
        list(reader(text, "a.b"))
    list(python_text.iter_name_patterns(text))


def sbom(data: bytes) -> None:
    parse_sbom(data)
    parse_sbom_targets(data)


def trace(data: bytes) -> None:
    read = parse_trace(data.decode("utf-8", "replace"), "x")
    assert parse_trace(format_trace(read), "x") == read


def settings(data: bytes) -> None:
    parse_config(parse_toml(data, "x"), "x")


TARGETS: Mapping[str, Callable[[bytes], object]] = {
    "native": native,
    "archive": archive,
    "payload": payload,
    "marshal": parse_marshal,
    "code": code,
    "constants": find_texts,
    "source": source,
    "trace": trace,
    "settings": settings,
    "sbom": sbom,
    "plist": parse_plist,
    "cache": parse_ld_cache,
    "plan": lambda data: parse_plan(data.decode("utf-8", "replace"), "x"),
}


def call(name: str, data: bytes) -> None:
    """Give a target bytes; what it may raise is an answer too."""
    with suppress(RustextError, SyntaxError) if name == "source" else suppress(RustextError):
        TARGETS[name](data)
