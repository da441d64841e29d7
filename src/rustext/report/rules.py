"""What each finding id means, in one sentence, and where more is said.

A new finding gets a row here and a page `docs/findings/ID.md`; a test compares the three.
"""

from __future__ import annotations

from collections.abc import Mapping

DOCS = "https://rustext.readthedocs.io/en/latest/"

RULES: Mapping[str, str] = {
    "architecture": "A file is for another processor than the process that would load it",
    "duplicate-library": "Two different libraries have one name",
    "ext-suffix": "Python never looks for an extension module under its file's name",
    "glibc-floor": "A file needs a newer C library than the target has",
    "host-library": "A library would be loaded from outside the bundle",
    "install-name": "A Mach-O file has no room for the names that a freezer writes into it",
    "libc-mix": "Files for glibc and for musl are mixed",
    "minimum-os": "A file is built for a newer macOS than the target",
    "missing-companion": "A file that a package opens by its path is not in the bundle",
    "missing-import": "Native code imports a module that is not in the bundle",
    "missing-library": "The loader finds a needed library nowhere",
    "missing-metadata": "Metadata of a distribution that code asks for is not in the bundle",
    "musl-floor": "A file calls functions that the target's musl may not have",
    "outside-link": "A symbolic link leads out of the bundle, or nowhere",
    "python-abi": "An extension module is built for another Python",
    "refused-file": "The loader finds a file and refuses to load it",
    "run": "The program did not end well when it was started",
    "selftest": "A module cannot be imported in the frozen program",
    "signature": "macOS would not load a file for its signature",
    "static-interpreter": "A statically linked interpreter cannot load extension modules",
    "too-complex": "A file would take more work to judge than any real one does",
    "undefined-symbol": "A file asks for a symbol that nothing in its process defines",
    "unreadable-file": "A file of the bundle cannot be read",
    "unsafe-rpath": "Libraries are looked for in a folder that only the building machine has",
}


def help_uri(finding_id: str) -> str:
    """The page of the documentation about a finding."""
    return f"{DOCS}findings/{finding_id}.html"
