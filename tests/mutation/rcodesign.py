"""What rcodesign does with files for macOS, by its own code: apple-platform-py has it as a library.

    rcodesign sign [--shallow] PATH      ad hoc
    rcodesign verify FILE                lists what is wrong with a signature; 1 where anything is

`problems` is the same for tests. A signature without a certificate is no problem here. Of the seal
of an application apple-codesign has no verification: `unsealed` seals a copy, and compares.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import apple_platform

# How apple-codesign says that a signature is ad hoc: without, or with an empty, CMS message.
_AD_HOC = ("no cryptographic signature present", "CMS error: missing further values")


def problems(path: Path) -> list[str]:
    """What apple-codesign finds wrong with a Mach-O file's signature, or that it has none."""
    try:
        found = [row["description"] for row in apple_platform.verify_macho(path)]
    except apple_platform.ApplePlatformError as error:
        return [str(error)]
    return [text for text in found if not text.removeprefix("@0: ").startswith(_AD_HOC)]


def notices_a_flipped_byte(path: Path) -> bool:
    """Whether a copy of a file with one other byte is refused; if not, nothing is checked."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, path.name)
        copy.write_bytes(data)
        return bool(problems(copy))


def unsealed(application: Path) -> list[str]:
    """The files that differ once apple-codesign has sealed a copy; none if its seal is whole."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, application.name)
        shutil.copytree(application, copy, symlinks=True)
        apple_platform.sign(copy)
        files = [p.relative_to(copy) for p in copy.rglob("*") if p.is_file() and not p.is_symlink()]
        pairs = ((application / file, copy / file) for file in files)
        return [
            new.relative_to(copy).as_posix()
            for old, new in pairs
            if not old.is_file() or old.read_bytes() != new.read_bytes()
        ]


def main() -> int:
    command, *options, path = sys.argv[1:]
    if command == "sign":
        apple_platform.sign(path, shallow="--shallow" in options)
        return 0
    found = problems(Path(path))
    print("\n".join(found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
