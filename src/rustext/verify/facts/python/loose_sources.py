"""Find what Python files that are data would import of their own package, and is not there.

In: a `Bundle`. Out: the modules, each with a file that imports it. Code may list such files in a
folder and run them; a freezer does not follow what they import.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress

from rustext.discovery.module_names import packages_of
from rustext.environment.python_text import iter_modules
from rustext.files.untrusted import SOURCE_LIMIT, read_start
from rustext.verify.bundle.bundle import Bundle

_MOST = 2000  # files


def iter_lacking_imports(bundle: Bundle, tops: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield a module that is not in the bundle, and the module of the file that imports it.

    `tops` are the top-level packages that count: those with code that runs such files.
    """
    archived = frozenset(name for p in bundle.programs for name in p.modules)
    there = archived | bundle.shared
    there |= {package for name in there for package in packages_of(name)}
    files = [
        (name, path)
        for name, path in sorted(bundle.loose.items())
        if path.suffix == ".py" and name not in archived and name.partition(".")[0] in tops
    ]
    for name, path in files[:_MOST]:
        text, package = "", name if path.stem == "__init__" else name.rpartition(".")[0]
        with suppress(OSError):
            text = read_start(path, SOURCE_LIMIT).decode("utf-8", "replace")
        for module in iter_modules(text, package):
            own = module.partition(".")[0] == name.partition(".")[0] and "." in module
            if own and module not in there and module.rpartition(".")[0] in there:
                yield module, name
