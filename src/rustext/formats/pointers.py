"""The pointers and imported symbols that the loader writes into an image of any format.

In: an image and its bytes. Out: each slot that will hold an address inside the image, with that
address, and each slot that will hold the address of another image's symbol, with its name.
"""

from __future__ import annotations

from rustext.formats.elf import relocations as elf
from rustext.formats.macho import fixups as macho
from rustext.formats.pe import relocations as pe
from rustext.formats.reader import Buffer
from rustext.model.image import Format, Image

_READERS = {Format.ELF: elf, Format.MACHO: macho, Format.PE: pe}


def read_pointers(image: Image, data: Buffer) -> dict[int, int]:
    """The addresses that slots will hold, the load bias apart, by the slots' addresses.

    Raises `InvalidBinary` where the tables are damaged.
    """
    return dict(_READERS[image.format].iter_pointers(image, data))


def read_imports(image: Image, data: Buffer) -> dict[int, str]:
    """The names of the symbols whose addresses slots will hold, by the slots' addresses.

    Names are those of C: without the underscore that Mach-O puts before them. Raises as
    `read_pointers`.
    """
    return dict(_READERS[image.format].iter_imports(image, data))
