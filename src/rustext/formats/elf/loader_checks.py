"""Why a dynamic loader refuses an ELF file, in its own words.

In: the bytes of a file. Out: each `Refusal`, in the order of glibc's loader, which stops at the
first one: `open_verify` looks at the file header, `_dl_map_object_from_fd` at the program headers
and at DT_FLAGS_1 (https://sourceware.org/git/?p=glibc.git;a=blob;f=elf/dl-load.c), and
`elf_get_dynamic_info` asserts the sizes of relocations (elf/get-dynamic-info.h). musl's loader
(https://git.musl-libc.org/cgit/musl/tree/ldso/dynlink.c) has a few of these checks, and maps what
it does not check to wrong addresses. The kernel, which maps the program, wants the same alignment
(elf_map in fs/binfmt_elf.c).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple

from elftools.elf.constants import P_FLAGS
from elftools.elf.enums import ENUM_D_TAG, ENUM_DT_FLAGS_1

from rustext.errors import InvalidBinary
from rustext.formats.elf.header import ElfFile, read_header, read_programs
from rustext.formats.reader import Buffer
from rustext.model.image import SymbolVersion

_PAGE = 4096  # the smallest page of every architecture that Linux runs on
_LOWEST = 1 << 16  # address at which Linux maps anything: vm.mmap_min_addr
_OSABI_SYSV, _OSABI_GNU = 0, 3
_DF_STATIC_TLS = 0x10
_DF_1_NOOPEN, _DF_1_PIE = ENUM_DT_FLAGS_1["DF_1_NOOPEN"], ENUM_DT_FLAGS_1["DF_1_PIE"]
# glibc's reserve for files that are opened later, with its default tunables, is 1,664 bytes
# (elf/dl-tls.c, TLS_STATIC_SURPLUS), of which others have taken some.
_STATIC_TLS = 2048
_LARGEST_TLS = 1 << 40  # bytes for each thread: more than any machine gives a process
_PLT_RELOCATIONS = {"EM_386": "DT_REL", "EM_X86_64": "DT_RELA", "EM_AARCH64": "DT_RELA"}
_SIGNAL = "the loader ends with a signal"
_ISA_NEEDED = 0xC000_8002  # GNU_PROPERTY_X86_ISA_1_NEEDED, of the x86-64 psABI
_NOTE_GNU_PROPERTY = 5


class By(Enum):
    """Which loader refuses a file, and when."""

    ANY = "any"  # glibc, musl and, where the file is the program, the kernel
    LIBRARIES = "libraries"  # glibc and musl, of a file that is no program
    GLIBC = "glibc"  # of a file that is no program
    OLD_GLIBC = "glibc before 2.35"  # of a file that is no program
    GLIBC_DLOPEN = "glibc's dlopen"  # of a file that is not there from the start
    NEW_GLIBC_DLOPEN = "glibc 2.41's dlopen"
    PROCESSOR = "processor"  # glibc, of any file, on a processor that is too old


class Refusal(NamedTuple):
    """What the loader says, and the number or flag in the file that it is about."""

    by: By
    words: str
    because: str
    fatal: bool = False  # whether it ends the program that loads the file


def iter_refusals(data: Buffer, versions: Sequence[SymbolVersion] = ()) -> Iterator[Refusal]:
    """Yield what some loader refuses the file for; nothing for a healthy one.

    `versions` are those of the file's `Image`. Raises `InvalidBinary` as `parse_elf`.
    """
    file = read_header(data)
    kind = file.header.e_type
    if (data[4], data[5]) != (file.bits // 32, 1 if file.byteorder == "little" else 2):
        because = f"EI_CLASS is {data[4]}, EI_DATA is {data[5]}"
        yield Refusal(By.LIBRARIES, "wrong ELF class or byte order", because)
    yield from _check_ident(bytes(data[:16]))
    if file.header.e_version != "EV_CURRENT":
        words = "ELF file version does not match current one"
        yield Refusal(By.GLIBC, words, f"e_version is {file.header.e_version}")
    if kind not in {"ET_EXEC", "ET_DYN"}:
        yield Refusal(By.ANY, "only ET_DYN and ET_EXEC can be loaded", f"e_type is {kind}")
    elif kind == "ET_EXEC":
        yield Refusal(By.LIBRARIES, "cannot dynamically load executable", "e_type is ET_EXEC")
    segments = read_programs(file)
    lowest = min((s.p_vaddr for s in segments if s.p_type == "PT_LOAD"), default=_LOWEST)
    if kind == "ET_EXEC" and lowest < _LOWEST:
        because = f"e_type is ET_EXEC, and a segment is at {lowest:#x}"
        yield Refusal(By.ANY, "the program ends with a signal as it starts", because)
    yield from _check_segments(segments)
    tags = _dynamic_tags(file, segments)
    if tags is None:
        words = "object file has no dynamic section"
        by = By.ANY if any(s.p_type == "PT_INTERP" for s in segments) else By.LIBRARIES
        yield Refusal(by, words, "no PT_DYNAMIC in a segment")
        return
    yield from _check_calls(file, tags, segments)
    yield from _check_dynamic(file, tags)
    yield from _check_tables(file, tags, segments)
    names = {v.version for v in versions}
    of_libc = any(v.library.startswith("libc.so") for v in versions)
    if "DT_RELR" in tags and of_libc and "GLIBC_ABI_DT_RELR" not in names:
        words = "DT_RELR without GLIBC_ABI_DT_RELR dependency"  # elf/dl-version.c, since 2.36
        yield Refusal(By.GLIBC, words, "the linker was told to pack relocations for another system")
    yield from _check_flags(tags, segments)
    yield from _check_stack(file, segments)
    yield from _check_processor(file, segments)


def _check_ident(ident: bytes) -> Iterator[Refusal]:
    osabi, abi = ident[7], ident[8]
    if ident[6] != 1:
        words = "ELF file version ident does not match current one"
        yield Refusal(By.GLIBC, words, f"EI_VERSION is {ident[6]}")
    if osabi not in {_OSABI_SYSV, _OSABI_GNU}:
        yield Refusal(By.GLIBC, "ELF file OS ABI invalid", f"EI_OSABI is {osabi}")
    elif abi and (osabi == _OSABI_SYSV or abi > 3):  # LIBC_ABI_MAX is 4
        yield Refusal(By.GLIBC, "ELF file ABI version invalid", f"EI_ABIVERSION is {abi}")
    if any(ident[9:16]):
        yield Refusal(By.GLIBC, "nonzero padding in e_ident", ident[9:16].hex(" "))


def _check_segments(segments: tuple[Any, ...]) -> Iterator[Refusal]:
    loads = [s for s in segments if s.p_type == "PT_LOAD"]
    if not loads:
        yield Refusal(By.ANY, "object file has no loadable segments", "there is no PT_LOAD")
    for load in loads:
        alignment, shift = load.p_align, load.p_vaddr - load.p_offset
        place = f"the segment at {load.p_vaddr:#x}"
        lies = f"{place} lies at {load.p_offset:#x} in the file"
        if shift % _PAGE:
            yield Refusal(By.ANY, "ELF load command address/offset not page-aligned", lies)
        elif alignment % _PAGE:
            words = "ELF load command alignment not page-aligned"
            yield Refusal(By.OLD_GLIBC, words, f"{place} is aligned to {alignment:#x}")
        elif alignment and shift & (alignment - 1):
            words = "ELF load command address/offset not properly aligned"
            yield Refusal(By.OLD_GLIBC, words, f"{lies}, aligned to {alignment:#x}")


def _check_calls(
    file: ElfFile, tags: dict[str, int], segments: tuple[Any, ...]
) -> Iterator[Refusal]:
    """What runs as the file is loaded, or as the program starts and ends, has to be there."""
    loads = [s for s in segments if s.p_type == "PT_LOAD"]
    code = [s for s in loads if s.p_flags & P_FLAGS.PF_X]
    called = {tag: tags.get(tag, 0) for tag in ("DT_INIT", "DT_FINI")}
    if any(s.p_type == "PT_INTERP" for s in segments):
        called["the program's start"] = file.header.e_entry
    for what, address in called.items():
        if address and not _holds(code, address, 1):
            because = f"{what}, at {address:#x}, is not in a segment that may be executed"
            yield Refusal(By.ANY, _SIGNAL, because, fatal=True)
    if not code and "DT_JMPREL" in tags:
        yield Refusal(By.ANY, _SIGNAL, "no segment may be executed", fatal=True)
    for table in ("DT_INIT_ARRAY", "DT_FINI_ARRAY"):
        size = tags.get(f"{table}SZ", 0)
        if table in tags and size and not _holds(loads, tags[table], size):
            because = f"{table}, at {tags[table]:#x}, is in no segment"
            yield Refusal(By.ANY, _SIGNAL, because, fatal=True)
    end = max((s.p_vaddr + s.p_memsz + max(s.p_align, _PAGE) for s in loads), default=0)
    for protected in (s for s in segments if s.p_type == "PT_GNU_RELRO"):
        if protected.p_vaddr + protected.p_memsz > end:  # elf/dl-reloc.c, _dl_protect_relro
            words = "cannot apply additional memory protection after relocation"
            because = f"PT_GNU_RELRO takes {protected.p_memsz:#x} bytes, and ends in no segment"
            yield Refusal(By.ANY, words, because, fatal=True)


def _holds(segments: Iterable[Any], address: int, size: int) -> bool:
    return any(0 <= address - s.p_vaddr <= s.p_memsz - size for s in segments)


def _dynamic_tags(file: ElfFile, segments: tuple[Any, ...]) -> dict[str, int] | None:
    """The dynamic section, which the loader finds by its address; None without one.

    Backed by no bytes of the file, it is not what the loader finds in memory either.
    """
    program = next((s for s in segments if s.p_type == "PT_DYNAMIC"), None)
    if program is None or not program.p_filesz:
        return None
    for load in segments:
        distance = program.p_vaddr - load.p_vaddr
        if load.p_type == "PT_LOAD" and 0 <= distance < load.p_filesz:
            break
    else:
        return None
    return dict(file.dynamic(load.p_offset + distance, program.p_filesz))


def _check_dynamic(file: ElfFile, tags: dict[str, int]) -> Iterator[Refusal]:
    """Sizes of entries that the loader asserts: `Inconsistency detected by ld.so`."""
    word = file.bits // 8
    sizes = (("DT_RELA", 3 * word), ("DT_REL", 2 * word), ("DT_RELR", word))
    for table, size in sizes:
        entry = f"{table}ENT"
        if table in tags and tags.get(entry) != size:
            words = f"Inconsistency detected by ld.so: Assertion `info[{entry}]…' failed"
            yield Refusal(By.GLIBC, words, f"{entry} is {tags.get(entry)}, not {size}", fatal=True)
    wanted = _PLT_RELOCATIONS.get(file.header.e_machine)
    if wanted is not None and tags.get("DT_PLTREL", ENUM_D_TAG[wanted]) != ENUM_D_TAG[wanted]:
        words = "Inconsistency detected by ld.so: Assertion `info[DT_PLTREL]…' failed"
        because = f"DT_PLTREL is {tags['DT_PLTREL']}, not {wanted}"
        yield Refusal(By.GLIBC, words, because, fatal=True)
    if not tags.keys() >= {"DT_SYMTAB", "DT_STRTAB"}:
        because = "there is no DT_SYMTAB or no DT_STRTAB"
        yield Refusal(By.LIBRARIES, _SIGNAL, because, fatal=True)
    elif not tags.keys() & {"DT_HASH", "DT_GNU_HASH"}:
        words = "undefined symbol: the loader finds none of the file's symbols"
        yield Refusal(By.LIBRARIES, words, "there is neither DT_HASH nor DT_GNU_HASH")
    tables = {"DT_VERNEED", "DT_VERDEF"} & tags.keys()
    counted = {tag.removesuffix("NUM") for tag in {"DT_VERNEEDNUM", "DT_VERDEFNUM"} & tags.keys()}
    if tables != counted or bool(tables) is not ("DT_VERSYM" in tags):  # elf/dl-version.c
        because = "DT_VERSYM, DT_VERNEED and DT_VERDEF do not fit together"
        yield Refusal(By.GLIBC, _SIGNAL, because, fatal=True)


def _check_tables(
    file: ElfFile, tags: dict[str, int], segments: tuple[Any, ...]
) -> Iterator[Refusal]:
    """Tables that a tool has emptied or cut off: what relocations are about stays unset."""
    row = 3 * (file.bits // 8)
    if "DT_GNU_HASH" in tags and not any(_mapped(file, segments, tags["DT_GNU_HASH"], 4)):
        words = "undefined symbol: the loader finds none of the file's symbols"
        yield Refusal(By.LIBRARIES, words, "DT_GNU_HASH has no bucket")
    for table, size in (("DT_RELA", "DT_RELASZ"), ("DT_JMPREL", "DT_PLTRELSZ")):
        length = tags.get(size, 0)
        # No linker for a machine that has DT_RELA begins one with R_*_NONE at address 0.
        if length >= row and not any(_mapped(file, segments, tags.get(table, 0), length)[:row]):
            because = f"what {table} leads to is not in the file"
            words = "Inconsistency detected by ld.so: Assertion `ELFW(R_TYPE)…' failed"
            yield Refusal(By.LIBRARIES, words, because, fatal=True)
    for table, name in (("DT_VERNEED", "Verneed"), ("DT_VERDEF", "Verdef")):
        if table in tags:
            record = _mapped(file, segments, tags[table], 2)
            number = int.from_bytes(record, "little" if file.byteorder == "little" else "big")
            if number != 1:  # elf/dl-version.c
                words = f"unsupported version {number} of {name} record"
                yield Refusal(By.GLIBC, words, f"what {table} leads to is damaged")


def _mapped(file: ElfFile, segments: tuple[Any, ...], address: int, size: int) -> bytes:
    """The bytes at an address; none where not all of them are in one segment."""
    for load in segments:
        distance = address - load.p_vaddr
        if load.p_type == "PT_LOAD" and 0 <= distance <= load.p_filesz - size:
            return bytes(file.reader.take(load.p_offset + distance, size, "a table"))
    return b""


def _check_flags(tags: dict[str, int], segments: tuple[Any, ...]) -> Iterator[Refusal]:
    flags = tags.get("DT_FLAGS_1", 0)
    if flags & _DF_1_PIE:
        words = "cannot dynamically load position-independent executable"
        yield Refusal(By.GLIBC, words, "DT_FLAGS_1 has DF_1_PIE")
    if flags & _DF_1_NOOPEN:
        words = "shared object cannot be dlopen()ed"
        yield Refusal(By.GLIBC_DLOPEN, words, "DT_FLAGS_1 has DF_1_NOOPEN")
    block = max((s.p_memsz for s in segments if s.p_type == "PT_TLS"), default=0)
    if block > _LARGEST_TLS:
        words = "cannot allocate memory for thread-local data"
        yield Refusal(By.ANY, words, f"PT_TLS asks for {block:,} bytes", fatal=True)
    if tags.get("DT_FLAGS", 0) & _DF_STATIC_TLS and block > _STATIC_TLS:
        words = "cannot allocate memory in static TLS block"
        because = f"DT_FLAGS has DF_STATIC_TLS, and the block takes {block:,} bytes"
        yield Refusal(By.GLIBC_DLOPEN, words, because)


def _check_stack(file: ElfFile, segments: tuple[Any, ...]) -> Iterator[Refusal]:
    words = "cannot enable executable stack as shared object requires"
    stack = next((s for s in segments if s.p_type == "PT_GNU_STACK"), None)
    if stack is not None and stack.p_flags & P_FLAGS.PF_X:
        yield Refusal(By.NEW_GLIBC_DLOPEN, words, "PT_GNU_STACK has PF_X")
    elif stack is None and file.header.e_machine in {"EM_386", "EM_X86_64"}:
        yield Refusal(By.NEW_GLIBC_DLOPEN, words, "there is no PT_GNU_STACK")


def _check_processor(file: ElfFile, segments: tuple[Any, ...]) -> Iterator[Refusal]:
    """The level of x86-64 that `ld -z x86-64-v3` or `gcc -mneeded` has written into the file."""
    if (file.header.e_machine, file.bits) != ("EM_X86_64", 64):
        return
    notes = [s for s in segments if s.p_type == "PT_GNU_PROPERTY"]
    notes = notes or [s for s in segments if s.p_type == "PT_NOTE" and s.p_align == 8]
    for note in notes:
        try:
            size = min(note.p_filesz, 65_536)
            needed = _isa_needed(file.reader.take(note.p_offset, size, "a note"))
        except (InvalidBinary, struct.error):
            continue
        if needed >= 2:
            words = "CPU ISA level is lower than required"
            because = f"the file asks for x86-64-v{needed.bit_length()}"
            yield Refusal(By.PROCESSOR, words, because)


def _isa_needed(note: bytes) -> int:
    """The bits of GNU_PROPERTY_X86_ISA_1_NEEDED in a segment of notes; 0 without any."""
    at = 0
    while at + 16 <= len(note):
        name_size, size, kind = struct.unpack_from("<III", note, at)
        start = at + 12 + (name_size + 3) // 4 * 4
        if kind == _NOTE_GNU_PROPERTY and note[at + 12 : at + 16] == b"GNU\0":
            prop = start
            while prop + 8 <= min(start + size, len(note)):
                property_kind, length = struct.unpack_from("<II", note, prop)
                if property_kind == _ISA_NEEDED and length == 4:
                    return int(struct.unpack_from("<I", note, prop + 8)[0])
                prop += 8 + (length + 7) // 8 * 8
        at = start + (size + 7) // 8 * 8
    return 0
