"""Which Python code opens a library, from its text alone."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from rustext.discovery.library_openers import Opener, find_opener
from rustext.model.native_file import Binding

LIBRARY = PurePosixPath("pkg/lib/libengine.so")


def opener(library: PurePosixPath = LIBRARY, **sources: str) -> Opener | None:
    """The opener among sources whose paths are written with `__` for a slash."""
    files = [(PurePosixPath(n.replace("__", "/") + ".py"), t.encode()) for n, t in sources.items()]
    return find_opener(library, files)


@pytest.mark.parametrize(
    ("text", "binding"),
    [
        ("import ctypes\nlib = ctypes.CDLL(here / 'libengine.so')", Binding.CTYPES),
        ("from ctypes import cdll\ncdll.LoadLibrary(f'{here}/libengine.so')", Binding.CTYPES),
        ("lib = np.ctypeslib.load_library('libengine.so', here)", Binding.CTYPES),
        ("lib = ctypes.WinDLL('engine.dll')  # libengine.so", Binding.CTYPES),
        ("lib = ffi.dlopen(os.path.join(here, 'libengine.so'))", Binding.CFFI),
        ("from cffi import FFI\nname = 'libengine.so'", Binding.CFFI),
        ("PATH = here / 'libengine.so'", Binding.PLUGIN),
    ],
)
def test_the_call_in_the_source_tells_the_binding(text: str, binding: Binding) -> None:
    assert opener(pkg__a=text) == Opener(binding=binding, source=PurePosixPath("pkg/a.py"))


def test_a_source_that_neither_opens_nor_names_a_library_says_nothing() -> None:
    assert opener(pkg__a="import ctypes\nengine = ctypes.c_int(1)") is None
    assert opener() is None


def test_the_source_that_spells_the_name_is_preferred() -> None:
    found = opener(
        pkg__lib__a="ctypes.CDLL(other)",
        pkg__b="ctypes.CDLL(engine)",
        far__z="ffi.dlopen('libengine.so')",
    )
    assert found == Opener(binding=Binding.CFFI, source=PurePosixPath("far/z.py"))


def test_a_name_that_is_put_together_is_known_by_its_stem() -> None:
    found = opener(
        pkg__a="ctypes.CDLL(f'libengine.{extension}')", pkg__lib__b="ffi.dlopen(whatever)"
    )
    assert found is not None
    assert found.binding is Binding.CTYPES


def test_a_neighbour_is_preferred_where_nobody_spells_the_name() -> None:
    found = opener(far__a="ffi.dlopen(x)", pkg__b="ctypes.CDLL(glob('*.so')[0])")
    assert found == Opener(binding=Binding.CTYPES, source=PurePosixPath("pkg/b.py"))


def test_a_source_that_only_names_the_library_leaves_it_to_others() -> None:
    found = opener(pkg__plugin="return libdir / 'libengine.so'", far__a="ctypes.CDLL(simulator)")
    assert found == Opener(binding=Binding.PLUGIN, source=PurePosixPath("pkg/plugin.py"))


def test_the_stem_is_looked_for_as_a_word() -> None:
    found = opener(pkg__plugin="'libengine.so'", pkg__a="ctypes.CDLL('engineering.so')")
    assert found is not None
    assert found.binding is Binding.PLUGIN


def test_a_module_suffix_is_no_part_of_the_stem() -> None:
    library = PurePosixPath("tract/tract.cpython-311-x86_64-linux-gnu.so")
    found = opener(library, other__a="ctypes.CDLL(x)", tract__b="cdll.LoadLibrary(tract)")
    assert found == Opener(binding=Binding.CTYPES, source=PurePosixPath("tract/b.py"))


def test_the_order_of_the_sources_does_not_matter() -> None:
    texts = {"pkg__a": "ctypes.CDLL(x)", "pkg__b": "ffi.dlopen(x)"}
    assert opener(**texts) == opener(**dict(reversed(texts.items())))
