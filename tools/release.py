"""Build and check what a release uploads: sdist, wheel and `rustext-verify.pyz`.

Usage: python tools/release.py [FOLDER]        (default: dist)

Each is built twice, the second time in another time zone and with another umask, and must have the
same bytes; the wheel is made from the sdist. `twine` checks the metadata. The digests go to
`SHA256SUMS`. Ends with 1 where something differs.
https://reproducible-builds.org/docs/source-date-epoch/
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Build into the folder that the command line names."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"
    if folder.exists() and any(folder.iterdir()):
        hint = "hint: name another folder, or empty it"
        print(f"error: {folder} is not empty\n{hint}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as text:
        first = build(Path(text) / "first", zone="UTC", umask=0o022)
        second = build(Path(text) / "second", zone="Asia/Kathmandu", umask=0o077)
        different = [name for name, digest in first.items() if second.get(name) != digest]
        if different:
            print(f"error: two builds differ in {', '.join(different)}", file=sys.stderr)
            return 1
        folder.mkdir(parents=True, exist_ok=True)
        for name in first:
            shutil.copy(Path(text) / "first" / name, folder)
    sums = "".join(f"{digest}  {name}\n" for name, digest in first.items())
    (folder / "SHA256SUMS").write_text(sums)
    print(sums, end="")
    return 0


def build(folder: Path, *, zone: str, umask: int) -> dict[str, str]:
    """The SHA-256 of each file that is made below a folder."""

    def run(*arguments: str) -> None:
        env = {**os.environ, "SOURCE_DATE_EPOCH": epoch, "TZ": zone}
        done = subprocess.run(
            [sys.executable, *arguments], env=env,
            umask=umask, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"{done.stdout}\nerror: {' '.join(arguments)} ended with {done.returncode}")

    git = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    epoch = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    run("-m", "build", "--sdist", "--outdir", str(folder), str(ROOT))
    (sdist,) = folder.glob("*.tar.gz")
    with tempfile.TemporaryDirectory() as source:
        shutil.unpack_archive(sdist, source)
        (top,) = Path(source).iterdir()
        run("-m", "build", "--wheel", "--outdir", str(folder), str(top))
    run(str(ROOT / "tools/build_pyz.py"), str(folder / "rustext-verify.pyz"))
    (wheel,) = folder.glob("*.whl")
    run("-m", "twine", "check", "--strict", str(sdist), str(wheel))
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


if __name__ == "__main__":
    sys.exit(main())
