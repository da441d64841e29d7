"""Print the standard library's names that stand in an extension module which imports nothing.

Usage: python benchmarks/vocabulary/measure.py [PYO3_VERSION]

Builds the crate beside this file with cargo, against the running Python, and reads the strings of
the result: `vocabulary` in src/rustext/data/stdlib.toml is the union over the versions named there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rustext.environment.environment import stdlib_environment
from rustext.formats.binary import open_binary
from rustext.imports.strings.name_filter import WantedNames
from rustext.imports.strings.name_refs import iter_strings
from rustext.model.evidence import EvidenceKind

HERE = Path(__file__).resolve().parent


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        crate = Path(name) / "vocabulary"
        shutil.copytree(HERE, crate, ignore=shutil.ignore_patterns("target"))
        if len(sys.argv) > 1:
            manifest = crate / "Cargo.toml"
            text = manifest.read_text()
            manifest.write_text(text.replace('version = "0.26"', f'version = "={sys.argv[1]}"'))
            (crate / "Cargo.lock").unlink()
        print("\n".join(sorted(measure(build(crate)))))


def build(crate: Path) -> Path:
    """The extension module, as cargo leaves it."""
    command = ["cargo", "build", "--quiet", "--release", "--manifest-path", crate / "Cargo.toml"]
    target = crate / "target"
    env = {**os.environ, "PYO3_PYTHON": sys.executable, "CARGO_TARGET_DIR": str(target)}
    subprocess.run(command, check=True, env=env)
    return target / "release" / "libvocabulary.so"


def measure(module: Path) -> set[str]:
    """The importable names in it whose bounds are known."""
    env = stdlib_environment()
    wanted = WantedNames(lambda name: env.find_module(name) is not None, env.top_level)
    with open_binary(module) as (binary, data):
        refs = list(iter_strings(binary.image, data, wanted))
    return {ref.text for ref in refs if ref.kind is not EvidenceKind.LOOSE_STRING}


if __name__ == "__main__":
    main()
