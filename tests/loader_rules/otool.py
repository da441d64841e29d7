"""What the freezers ask Apple's otool, answered with macholib: `otool -arch ARCH -L|-l|-D FILE`.

The layout of the answers is otool's: https://www.unix.com/man-page/osx/1/otool/
"""

from __future__ import annotations

import sys

from macholib.mach_o import (
    CPU_TYPE_NAMES,
    LC_ID_DYLIB,
    LC_LOAD_DYLIB,
    LC_LOAD_UPWARD_DYLIB,
    LC_LOAD_WEAK_DYLIB,
    LC_REEXPORT_DYLIB,
    LC_RPATH,
)
from macholib.MachO import MachO

ARCHITECTURES = {"arm64": "ARM64", "x86_64": "x86_64"}
LIBRARIES = {
    LC_ID_DYLIB,
    LC_LOAD_DYLIB,
    LC_LOAD_WEAK_DYLIB,
    LC_REEXPORT_DYLIB,
    LC_LOAD_UPWARD_DYLIB,
}


def answer(architecture: str, question: str, path: str) -> list[str]:
    headers = MachO(path).headers
    wanted = ARCHITECTURES[architecture]
    header = next(h for h in headers if CPU_TYPE_NAMES[h.header.cputype] == wanted)
    lines = [f"{path}:"]
    for number, (load, command, data) in enumerate(header.commands):
        named = load.cmd in LIBRARIES or load.cmd == LC_RPATH
        text = data.rstrip(b"\0").decode() if named else ""
        if question == "-L" and load.cmd in LIBRARIES:
            both = command.compatibility_version, command.current_version
            lines.append("\t{} (compatibility version {}, current version {})".format(text, *both))
        elif question == "-D" and load.cmd == LC_ID_DYLIB:
            lines.append(text)
        elif question == "-l":
            lines.append(f"Load command {number}")
            if load.cmd == LC_RPATH:
                lines += ["          cmd LC_RPATH", f"      cmdsize {load.cmdsize}"]
                lines.append(f"         path {text} (offset 12)")
            else:
                lines += [f"      cmd {load.cmd:#x}", f"  cmdsize {load.cmdsize}"]
    return lines


if __name__ == "__main__":
    _, option, chosen, asked, file = sys.argv
    assert option == "-arch"
    print("\n".join(answer(chosen, asked, file)))
