"""The crates under tests/data, built for this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

DATA = Path(__file__).parent.parent / "data"


def build_crate(name: str, target: Path) -> Path:
    """Build the cdylib `name` below the folder `target`; the crates have no dependencies."""
    manifest = DATA / name / "Cargo.toml"
    command = ["cargo", "build", "--quiet", "--release", "--offline", "--locked"]
    command += ["--manifest-path", str(manifest), "--target-dir", str(target)]
    subprocess.run(command, check=True, timeout=300)
    return target / "release" / f"lib{name}.so"
