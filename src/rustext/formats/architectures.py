"""Machine numbers of the three formats, in the words of `uname -m`. Data only.

Sources: ELF `e_machine` from the gABI registry (https://groups.google.com/g/generic-abi and
<elf.h>), Mach-O `cputype` and `cpusubtype` from Apple's <mach/machine.h>, PE `Machine` from
https://learn.microsoft.com/windows/win32/debug/pe-format#machine-types. Names: Linux's
`UTS_MACHINE` for ELF, and where a kernel says the same word for two byte orders the GNU triplet's
(`mipsel`, `mips64el`); `lipo -archs` for Mach-O; for PE the words that wheels' tags go by.
"""

from __future__ import annotations

# (e_machine, bits, byte order) -> name
ELF: dict[tuple[int, int, str], str] = {
    (2, 32, "big"): "sparc",  # EM_SPARC
    (3, 32, "little"): "i686",  # EM_386
    (4, 32, "big"): "m68k",  # EM_68K
    (8, 32, "big"): "mips",  # EM_MIPS
    (8, 32, "little"): "mipsel",
    (8, 64, "big"): "mips64",
    (8, 64, "little"): "mips64el",
    (15, 32, "big"): "parisc",  # EM_PARISC
    (15, 64, "big"): "parisc64",
    (18, 32, "big"): "sparc",  # EM_SPARC32PLUS
    (20, 32, "big"): "ppc",  # EM_PPC
    (21, 64, "big"): "ppc64",  # EM_PPC64
    (21, 64, "little"): "ppc64le",
    (22, 32, "big"): "s390",  # EM_S390
    (22, 64, "big"): "s390x",
    (40, 32, "big"): "armv7b",  # EM_ARM
    (40, 32, "little"): "armv7l",
    (42, 32, "little"): "sh4",  # EM_SH
    (43, 64, "big"): "sparc64",  # EM_SPARCV9
    (50, 64, "little"): "ia64",  # EM_IA_64
    (62, 32, "little"): "x86_64",  # EM_X86_64 with 32-bit pointers: the x32 ABI
    (62, 64, "little"): "x86_64",
    (183, 64, "big"): "aarch64_be",  # EM_AARCH64
    (183, 64, "little"): "aarch64",
    (243, 32, "little"): "riscv32",  # EM_RISCV
    (243, 64, "little"): "riscv64",
    (258, 32, "little"): "loongarch32",  # EM_LOONGARCH
    (258, 64, "little"): "loongarch64",
    (0x9026, 64, "little"): "alpha",  # EM_ALPHA
}

# An EABI 5 file with EF_ARM_ABI_FLOAT_SOFT: a hard-float loader refuses it, and the other way
# round. https://github.com/ARM-software/abi-aa/blob/main/aaelf32/aaelf32.rst#elf-header
ELF_ARM_SOFT_FLOAT = "armv5tel"

# (cputype, cpusubtype without its capability bits) -> name, for what the table below is too coarse
MACHO_SUBTYPE: dict[tuple[int, int], str] = {
    (0x0000000C, 6): "armv6",
    (0x0000000C, 11): "armv7s",
    (0x0000000C, 12): "armv7k",
    (0x01000007, 8): "x86_64h",
    (0x0100000C, 2): "arm64e",
}

# cputype -> name
MACHO: dict[int, str] = {
    0x00000007: "i386",
    0x0000000C: "armv7",
    0x00000012: "ppc",
    0x01000007: "x86_64",
    0x0100000C: "arm64",
    0x01000012: "ppc64",
    0x0200000C: "arm64_32",
}

# Machine -> name
PE: dict[int, str] = {
    0x014C: "i686",
    0x01C0: "armv5tel",
    0x01C4: "armv7l",
    0x0200: "ia64",
    0x5032: "riscv32",
    0x5064: "riscv64",
    0x6264: "loongarch64",
    0x8664: "x86_64",
    0xAA64: "arm64",
}
