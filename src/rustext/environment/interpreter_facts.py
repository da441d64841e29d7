"""The facts of the interpreter that runs this file, as JSON holds them.

Needs the standard library alone, of Python 3.8 or later, and imports nothing of rustext: the same
text is run by a foreign interpreter (see `rustext.environment.environment.read_interpreter`).
"""

import importlib.machinery
import json
import os
import platform
import sys
import sysconfig
from pathlib import Path


def describe() -> "dict[str, object]":  # quoted: Python 3.8 cannot evaluate the type
    """Return the fields of `rustext.environment.environment.Interpreter`."""
    paths = sysconfig.get_paths()
    # PLATSTDLIB_LANDMARK of https://github.com/python/cpython/blob/main/Modules/getpath.py
    dynload = [p for p in sys.path if os.path.basename(p) in ("lib-dynload", "DLLs")]  # noqa: PTH119
    version = platform.python_version()
    return {
        "version": list(sys.version_info[:2]),
        "path": [p for p in sys.path if p],
        "stdlib": list(dict.fromkeys([paths["stdlib"], paths["platstdlib"], *dynload])),
        "builtins": list(sys.builtin_module_names),
        "suffixes": importlib.machinery.EXTENSION_SUFFIXES,
        "prefixes": list(dict.fromkeys([sys.prefix, sys.base_prefix])),
        # https://packaging.python.org/en/latest/specifications/dependency-specifiers/
        "markers": {
            "implementation_name": sys.implementation.name,
            "implementation_version": version,
            "os_name": os.name,
            "platform_machine": platform.machine(),
            "platform_python_implementation": platform.python_implementation(),
            "platform_release": platform.release(),
            "platform_system": platform.system(),
            "platform_version": platform.version(),
            "python_full_version": version,
            "python_version": ".".join(platform.python_version_tuple()[:2]),
            "sys_platform": sys.platform,
        },
    }


def sites(path: "list[str]", stdlib: "list[str]", prefixes: "list[str]") -> "list[Path]":
    """Return the folders of `sys.path` that are there and not the interpreter's own, in order.

    On Windows the prefixes are on the path too, with all other folders in them
    (https://docs.python.org/3/using/windows.html#finding-modules).
    """
    own = {Path(p) for p in (*stdlib, *prefixes)}
    return [p for p in dict.fromkeys(map(Path, path)) if p not in own and p.is_dir()]


if __name__ == "__main__":
    print(json.dumps(describe()))  # noqa: T201 (the answer)
