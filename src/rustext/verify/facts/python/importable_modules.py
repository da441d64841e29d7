"""Find the names that a bundle's modules can be imported by."""

from __future__ import annotations

from rustext.discovery.extension_suffixes import split_suffix
from rustext.verify.bundle.bundle import Bundle


def importable_modules(bundle: Bundle) -> frozenset[str]:
    """The bundle's modules, and those whose name no import statement could say.

    `importlib.import_module` and native code import such files all the same: mypyc calls the
    library of a group of modules by a digest.
    """
    unsaid = {
        ".".join((*file.path.parent.parts, split_suffix(file.path.name)[0]))
        for _, file in bundle.files
        if file.module is None and split_suffix(file.path.name)[1] is not None
    }
    return bundle.modules | unsaid
