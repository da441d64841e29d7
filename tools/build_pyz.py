"""Build `rustext-verify.pyz`: `rustext verify` as one file, where nothing can be installed.

Usage: python tools/build_pyz.py [FILE]        (default: dist/rustext-verify.pyz)

Needs pip and a package index. The file runs on every Python from 3.10 on, on every platform, for it
holds nothing but Python source: the modules of rustext, pyelftools and macholib that verification
imports, `packaging`, `platformdirs` and `tomli`, and their licences. The same sources give the same
bytes.
https://docs.python.org/3/library/zipapp.html
"""

from __future__ import annotations

import ast
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = "3.10"
PACKAGES = (  # that verification imports
    "macholib>=1.16",
    "packaging>=24.2",
    "platformdirs>=4.2",
    "pyelftools>=0.32",
    "tomli>=2",
)
PRUNED = ("rustext", "elftools", "macholib")  # of these, nothing but the modules that are imported
START = ("rustext.cli.main", "rustext.cli.verify_command")
KEPT_DATA = (("rustext", "data"), ("rustext", "report"))  # folders whose other files are needed
MAIN = """\
import sys

if sys.version_info < (3, 10):
    sys.exit("error: rustext-verify needs Python 3.10 or later, this is " + sys.version.split()[0])

from rustext.cli.main import run

sys.exit(run(["verify"] + sys.argv[1:]))
"""


def main() -> None:
    """Build the file that the command line names."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist" / "rustext-verify.pyz")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install(folder)
        prune(folder)
        (folder / "__main__.py").write_text(MAIN, encoding="utf-8")
        target.write_bytes(b"#!/usr/bin/env python3\n" + pack(folder))
        target.chmod(0o755)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


def install(folder: Path) -> None:
    """Install rustext and the packages as a Python without compiled code would see them."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-qq", "install"]
    pip += ["--target", str(folder), "--no-deps", "--no-compile", "--no-warn-conflicts"]
    pure = ["--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none"]
    run([*pip, *pure, f"--python-version={OLDEST}", *PACKAGES])
    run([*pip, str(ROOT)])


def prune(folder: Path) -> None:
    """Leave what verification imports, and the licences."""
    for name in ("bin", "nuitka", "rustext_hooks"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for path in folder.rglob("pytest_plugin.py"):
        path.unlink()
    for path in sorted(folder.rglob("*.dist-info/*"), reverse=True):
        if path.is_file() and not is_licence(path):
            path.unlink()
    needed = {module_file(folder, name) for name in find_imports(folder)}
    for path in (path for name in PRUNED for path in (folder / name).rglob("*")):
        place = path.relative_to(folder)
        data = (
            place.parts[:2] in KEPT_DATA and path.suffix != ".py" and "schemas" not in place.parts
        )
        child = path.name == "isolated_child.py"  # its text is handed to another interpreter
        if path.is_file() and path not in needed and not data and not child:
            path.unlink()


def pack(folder: Path) -> bytes:
    """A zip file of a folder: sorted and without times, which `zipapp` would keep."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        files = (path for path in folder.rglob("*") if path.is_file())
        for name in sorted(path.relative_to(folder).as_posix() for path in files):
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, (folder / name).read_bytes())
    return buffer.getvalue()


def is_licence(path: Path) -> bool:
    """Whether a file of a `.dist-info` folder is a text of a licence (PEP 639)."""
    return "licenses" in path.parts or path.name.upper().startswith(("LICENSE", "COPYING"))


def find_imports(folder: Path) -> set[str]:
    """The modules in the folder that those in `START` import, at their top or later."""
    found: set[str] = set()
    waiting = [*START]
    while waiting:
        name = waiting.pop()
        file = module_file(folder, name)
        if name in found or not file.is_file():
            continue
        found.add(name)
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        waiting += iter_names(ast.parse(file.read_text(encoding="utf-8")), package)
        waiting += [name.rpartition(".")[0]] if "." in name else []
    return found


def iter_names(tree: ast.Module, package: str) -> Iterator[str]:
    """All that import statements may mean, and literal names for `importlib.import_module`.

    What is imported for annotations alone is not needed.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and str(node.value).startswith("rustext."):
            # A command's address, as `rustext.cli.scan_command:scan`, is not needed here.
            yield str(node.value)


def module_file(folder: Path, name: str) -> Path:
    """Where the source of a module is, or would be."""
    path = folder.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_name(f"{path.name}.py")


def run(command: list[str]) -> None:
    """Run a command, whose output goes to stderr."""
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        sys.exit("error: pip failed, see above\nhint: is the package index reachable?")


if __name__ == "__main__":
    main()
