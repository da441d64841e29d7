"""The log of glibc's loader, and a program that makes it open files."""

from __future__ import annotations

import re

# Folders for processor features below each search folder: glibc 2.36 tries those of the machine.
_FEATURES = re.compile(
    r"/(?:tls|haswell|xeon_phi|avx512_1|x86_64|v[5-8]l|vfp|neon|aarch64|atomics|glibc-hwcaps/[^/]+)(?=/)"
)
OPENER = """
#include <dlfcn.h>
#include <stdio.h>
int main(int n, char **argv) {
    for (int i = 1; i < n; i++)
        if (!dlopen(argv[i], RTLD_NOW)) { puts(dlerror()); return 3; }
    return 0;
}
"""


def parse_ld_debug(log: str) -> tuple[dict[str, list[str]], set[str]]:
    """Parse the log of `LD_DEBUG=libs`; tries in folders for processor features are left out."""
    tried: dict[str, list[str]] = {}
    mapped: set[str] = set()
    name = ""
    for line in log.splitlines():
        _, _, text = line.partition(":\t")
        text = text.strip()
        if found := re.match(r"find library=(\S+) \[0\]; searching", text):
            name = found[1]
            tried[name] = []
        elif text.startswith("trying file=") and not _FEATURES.search(text):
            tried[name].append(text.removeprefix("trying file="))
        elif text.startswith("calling init: "):
            mapped.add(text.removeprefix("calling init: "))
    return tried, mapped
