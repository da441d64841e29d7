"""Which calls hand a string on to Python's import.

In: an image and a call that a string's address and length are passed to. Out: how the call reaches
`PyImport_Import`, or one of the functions that take a C string.

https://docs.python.org/3/c-api/import.html
"""

from __future__ import annotations

from rustext.code_refs import Call
from rustext.model import Image
from rustext.reader import Buffer
from rustext.relocations import imported_slots

C_IMPORTS = frozenset(
    [
        "PyImport_ImportModule",
        "PyImport_ImportModuleNoBlock",
        "PyImport_ImportModuleLevel",
        "PyImport_AddModule",
        "PyCapsule_Import",
    ]
)


class ImportCalls:
    """The calls of one image."""

    def __init__(self, image: Image, data: Buffer) -> None:
        self._slots = imported_slots(image, data)

    def explain(self, call: Call, *, terminated: bool) -> str | None:
        """How the call imports the module whose name it is given; None where that cannot be seen."""
        if terminated and call.argument == 0 and call.slot is not None:
            name = self._slots.get(call.slot)
            return name if name in C_IMPORTS else None
        return None
