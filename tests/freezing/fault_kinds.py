"""What can be wrong with the files of an environment: one change to a folder of packages each.

The folder holds a package `bad`, which a program imports, with metadata, and the program's package.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from pathlib import Path

METADATA = "Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n"
HUGE = 5 << 30


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to a folder of packages, and the name that a warning has to hold.

    What has no such name is `legal`: nothing may be said of it. What only a `program` leads to is
    not known to `rustext doctor`, which is told of no program.
    """

    apply: Callable[[Path], object]
    named: str | None
    legal: str = ""
    program: bool = False


def write(name: str, content: bytes | str) -> Callable[[Path], object]:
    def apply(site: Path) -> None:
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return apply


def put(name: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Something else at a place where a file may be."""

    def apply(site: Path) -> None:
        path = site / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        make(path)

    return apply


def link(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def circle(path: Path) -> None:
    path.symlink_to(path.name)


def locked(path: Path) -> None:
    path.write_text("x" * 100)
    path.chmod(0)


def locked_folder(path: Path) -> None:
    path.mkdir()
    (path / "file.py").touch()
    path.chmod(0)


def listed_locked_folder(site: Path) -> None:
    append(f"{INFO}/RECORD", b"bad/closed/file.py,,\n")(site)
    locked_folder(site / "bad/closed")


def huge(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(HUGE)


def native(site: Path) -> bytes:
    (path,) = site.glob("ormsgpack/*.so")
    return path.read_bytes()


def damaged(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda site: (site / name).write_bytes(change(native(site)))


def odd_name(name: bytes, content: bytes = b"x") -> Callable[[Path], object]:
    def apply(site: Path) -> None:
        with open(os.fsencode(site) + b"/" + name, "wb") as stream:  # noqa: PTH123
            stream.write(content)

    return apply


def rename_folder(old: str, new: bytes) -> Callable[[Path], object]:
    return lambda site: os.rename(site / old, os.fsencode(site) + b"/" + new)  # noqa: PTH104


def append(name: str, content: bytes) -> Callable[[Path], object]:
    def apply(site: Path) -> None:
        with (site / name).open("ab") as stream:
            stream.write(content)

    return apply


def remove(pattern: str) -> Callable[[Path], object]:
    def apply(site: Path) -> None:
        (path,) = site.glob(pattern)
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return apply


def listed(name: str, apply: Callable[[Path], object]) -> Callable[[Path], object]:
    """The same with a row in RECORD, as an installer writes it."""

    def both(site: Path) -> None:
        append(f"{INFO}/RECORD", f"{name},,\n".encode())(site)
        apply(site)

    return both


def of_other(kind: str, apply: Callable[[Path], object]) -> Fault:
    """A fault of one file of the package, which the program does not import."""
    name = f"bad/other.{kind}"
    return Fault(listed(name, apply), name)


def reached(
    apply: Callable[[Path], object],
    name: str = "bad/other.py",
    good: str = "good.py",
    *,
    record: bool = True,
) -> Fault:
    """A fault of what a good module imports that only native code asks for.

    Both modules are in a RECORD, or in none.

    The native file of `bad` takes its class of UUIDs from that module instead of `uuid`, whose name
    it holds once. A program frozen without rustext has neither of the modules.
    """

    def both(site: Path) -> None:
        (path,) = site.glob("bad/*.so")
        code = path.read_bytes()
        assert code.count(b"uuid") == 1, path
        path.write_bytes(code.replace(b"uuid", b"good"))
        module = re.sub(r"(/__init__)?\.pyc?$", "", name).replace("/", ".")
        if good != "good.py":
            module = f"good.{path.stem.split('.')[0]}"
            write(f"good/{path.name}", native(site))(site)
            append(f"{INFO}/RECORD", f"good/{path.name},,\n".encode())(site)
        write(good, GOOD.format(module=module))(site)
        if record:
            append(f"{INFO}/RECORD", f"{good},,\n{name},,\n".encode())(site)
        apply(site)

    return Fault(both, name, program=not record)


def tool(site: Path) -> None:
    """A Rust program in a package of its own, one of whose folders is closed; `bad` imports it."""
    write("tool/__init__.py", "")(site)
    with (site / "bad/__init__.py").open("a") as stream:
        stream.write("import tool\n")
    source = site / "tool/tool.rs"
    source.write_text("fn main() {}")
    subprocess.run(["rustc", "-o", source.with_suffix(""), source], check=True)
    source.unlink()
    locked_folder(site / "tool/closed")
    info = METADATA.replace("bad", "tool")
    write("tool-1.0.dist-info/METADATA", info)(site)
    write("tool-1.0.dist-info/RECORD", "tool/__init__.py,,\ntool/tool,,\n")(site)


def of_metadata(name: str, content: str | Callable[[Path], object]) -> Fault:
    """A fault of one file of the package's dist-info."""
    name = f"{INFO}/{name}"
    apply = write(name, content) if isinstance(content, str) else put(name, content)
    return Fault(listed(name, apply), name)


INFO = "bad-1.0.dist-info"
FINDER = "MAPPING = {'gone': '/nonexistent/src/gone'}\nNAMESPACES = {}\ndef install():\n    pass\n"
ELF = b"\x7fELF\x02\x01\x01"
GOOD = """\
import uuid
from uuid import *
try:
    import {module}
except Exception:
    pass
"""
DEEP = "x = " + "(" * 5000 + ")" * 5000 + "\n"
SUM = "x = " + "a+" * 20_000 + "a\n"
LONG = "x = a" + ".b" * 100_000 + "\n"
CUT = importlib.util.MAGIC_NUMBER + bytes(12) + b"\xe3\0\0\0"

FAULTS: dict[str, Fault] = {
    "RECORD links to itself": Fault(put(f"{INFO}/RECORD", circle), f"{INFO}/RECORD"),
    "RECORD dangles": Fault(put(f"{INFO}/RECORD", link("gone")), f"{INFO}/RECORD"),
    "RECORD is a FIFO": Fault(put(f"{INFO}/RECORD", os.mkfifo), f"{INFO}/RECORD"),
    "RECORD is a folder": Fault(put(f"{INFO}/RECORD", Path.mkdir), f"{INFO}/RECORD"),
    "RECORD is not readable": Fault(put(f"{INFO}/RECORD", locked), f"{INFO}/RECORD"),
    "RECORD has 5 GB": Fault(put(f"{INFO}/RECORD", huge), f"{INFO}/RECORD"),
    "RECORD never ends": Fault(put(f"{INFO}/RECORD", link("/dev/zero")), f"{INFO}/RECORD"),
    "RECORD has absolute rows": Fault(
        append(f"{INFO}/RECORD", b"/etc/passwd,,\n"), None, "a RECORD may hold absolute paths"
    ),
    "RECORD has rows above its folder": Fault(
        append(f"{INFO}/RECORD", b"../../../../../etc/x,,\n"),
        None,
        "a RECORD lists programs and other files outside of its folder so",
    ),
    "RECORD has a row that is not UTF-8": Fault(
        append(f"{INFO}/RECORD", b"bad/caf\xe9.py,,\n"), f"{INFO}/RECORD"
    ),
    "RECORD has a row with NUL": Fault(
        append(f"{INFO}/RECORD", b"bad/a\0b.so,,\n"), f"{INFO}/RECORD"
    ),
    "RECORD has a row that is too long": Fault(
        append(f"{INFO}/RECORD", b"bad/" + b"a" * 5000 + b".so,,\n"), "bad/aaaa"
    ),
    "RECORD is cut in a row": Fault(append(f"{INFO}/RECORD", b"bad/cut.py,sha"), f"{INFO}/RECORD"),
    "RECORD has an open quotation mark": Fault(
        append(f"{INFO}/RECORD", b'"bad/open.py,,\n'), f"{INFO}/RECORD"
    ),
    "RECORD names files that are gone": Fault(
        append(f"{INFO}/RECORD", b"bad/gone.py,,\nbad/gone.so,,\n"), f"{INFO}/RECORD"
    ),
    "METADATA is not there": Fault(remove(f"{INFO}/METADATA"), INFO),
    "METADATA is not readable": Fault(put(f"{INFO}/METADATA", locked), f"{INFO}/METADATA"),
    "METADATA has 5 GB": Fault(put(f"{INFO}/METADATA", huge), f"{INFO}/METADATA"),
    "METADATA has a version of two lines": Fault(
        write(f"{INFO}/METADATA", METADATA.replace("Version: 1.0", "Version: 1.0\n  beta")),
        None,
        "a field of METADATA may go on in the next line",
    ),
    "METADATA names nothing": Fault(
        write(f"{INFO}/METADATA", "Metadata-Version: 2.1\n"), f"{INFO}/METADATA"
    ),
    "METADATA is not UTF-8": Fault(
        write(f"{INFO}/METADATA", METADATA.encode() + b"Author: caf\xe9\n"), f"{INFO}/METADATA"
    ),
    "requirements do not parse": Fault(
        append(f"{INFO}/METADATA", b"Requires-Dist: ormsgpack (>=1,, !\n"), f"{INFO}/METADATA"
    ),
    "a marker does not parse": Fault(
        append(f"{INFO}/METADATA", b'Requires-Dist: x; python_version is "3"\n'), f"{INFO}/METADATA"
    ),
    "a dist-info's name is not UTF-8": Fault(
        rename_folder(INFO, b"caf\xe9-1.0.dist-info"), r"caf\udce9-1.0"
    ),
    "a dist-info is a file": Fault(write("odd-1.0.dist-info", "x"), "odd-1.0.dist-info"),
    "a dist-info is not readable": Fault(put("odd-1.0.dist-info", locked_folder), "odd-1.0"),
    "a dist-info dangles": Fault(put("odd-1.0.dist-info", link("gone")), "odd-1.0.dist-info"),
    "an egg-link leads nowhere": Fault(
        write("odd.egg-link", "/nonexistent/odd\n."), "odd.egg-link"
    ),
    "a path file leads nowhere": Fault(write("odd.pth", "/nonexistent/odd\n"), "odd.pth"),
    "a path file is not UTF-8": Fault(write("odd.pth", b"/nonexistent/caf\xe9\n"), "odd.pth"),
    "an editable install's source is gone": Fault(
        write("__editable___gone_1_0_finder.py", FINDER), "__editable___gone_1_0_finder.py"
    ),
    "direct_url.json does not parse": of_metadata("direct_url.json", "{"),
    "entry_points.txt does not parse": of_metadata("entry_points.txt", "[[[\nx"),
    "entry_points.txt is not readable": of_metadata("entry_points.txt", locked),
    "a data file is not readable": Fault(
        listed("bad/table.json", put("bad/table.json", locked)), "bad/table.json"
    ),
    "a data file is a FIFO": Fault(
        listed("bad/table.json", put("bad/table.json", os.mkfifo)), "bad/table.json"
    ),
    "an SBOM does not parse": of_metadata("sboms/bad.cyclonedx.json", "{"),
    "a native file is not readable": of_other("so", put("bad/other.so", locked)),
    "a native file is cut": of_other(
        "so", damaged("bad/other.so", lambda data: data[: len(data) // 2])
    ),
    "a native file is empty": of_other("so", write("bad/other.so", b"")),
    "a native file is a header": of_other("so", write("bad/other.so", ELF)),
    "a native file is text": of_other("so", write("bad/other.so", "INPUT(libm.so.6)\n")),
    "a native file dangles": of_other("so", put("bad/other.so", link("gone.so"))),
    "a native file links to itself": of_other("so", put("bad/other.so", circle)),
    "a native file is a FIFO": of_other("so", put("bad/other.so", os.mkfifo)),
    "a native file never ends": of_other("so", put("bad/other.so", link("/dev/zero"))),
    "a native file is a folder": of_other("so", put("bad/other.so", Path.mkdir)),
    "a native file has 5 GB of nothing": of_other("so", put("bad/other.so", huge)),
    "a native file's name is not UTF-8": Fault(odd_name(b"bad/caf\xe9.so"), r"bad/caf\udce9.so"),
    "a native file's name has a line break": Fault(odd_name(b"bad/a\nb.so"), r"bad/a\nb.so"),
    "a source is not readable": of_other("py", put("bad/other.py", locked)),
    "a source is not UTF-8": of_other("py", write("bad/other.py", b"x = '\xe9'\n")),
    "a source has NUL bytes": of_other("py", write("bad/other.py", b"x = 1\0\n")),
    "a source is nested too deeply": of_other("py", write("bad/other.py", DEEP)),
    "a source is a FIFO": of_other("py", put("bad/other.py", os.mkfifo)),
    "a source does not parse": of_other("py", write("bad/other.py", "def f(:\n")),
    "a source behind native code is not readable": reached(put("bad/other.py", locked)),
    "a source behind native code is not UTF-8": reached(write("bad/other.py", b"x = '\xe9'\n")),
    "a source behind native code has NUL bytes": reached(write("bad/other.py", b"x = 1\0\n")),
    "a source behind native code is nested too deeply": reached(write("bad/other.py", DEEP)),
    "a source behind native code has a sum that is too long": reached(write("bad/other.py", SUM)),
    "a source behind native code has a name that is too long": reached(write("bad/other.py", LONG)),
    "a source behind native code returns from no function": reached(
        write("bad/other.py", "return\n")
    ),
    "a source behind native code, in no RECORD, has such a sum": reached(
        write("bad/other.py", SUM), record=False
    ),
    "bytecode behind native code is cut": reached(write("bad/other.pyc", CUT), "bad/other.pyc"),
    "a source behind native code is a FIFO": reached(put("bad/other.py", os.mkfifo)),
    "a source behind native code dangles": reached(put("bad/other.py", link("gone.py"))),
    "a source behind native code does not parse": reached(write("bad/other.py", "def f(:\n")),
    "a package behind native code is not readable": reached(
        put("bad/part/__init__.py", locked), "bad/part/__init__.py"
    ),
    "a package behind native code does not parse": reached(
        write("bad/part/__init__.py", "def f(:\n"), "bad/part/__init__.py"
    ),
    "a folder behind native code is not readable": reached(
        put("good/closed", locked_folder), "good/closed", "good/__init__.py"
    ),
    "a folder next to a program is not readable": Fault(tool, "tool/closed"),
    "a folder links to the one above": Fault(
        put("bad/again", link("..")), None, "nothing is looked for behind it twice"
    ),
    "a folder is not readable": Fault(listed_locked_folder, "bad/closed"),
    "a folder that no RECORD lists is not readable": Fault(
        put("bad/closed", locked_folder), "bad/closed"
    ),
    "the program's package has no RECORD": Fault(
        remove("ormsgpack-*.dist-info/RECORD"), None, "RECORD is optional: files count by place"
    ),
    "the program's package has no METADATA": Fault(
        remove("ormsgpack-*.dist-info/METADATA"), "ormsgpack-1.13.1.dist-info"
    ),
    "the program's package has no dist-info": Fault(
        remove("ormsgpack-*.dist-info"), None, "a package may be copied there: files count by place"
    ),
}


EXCLUDED = "the program's package has no dist-info"  # it would leave no file for the two before it


def put_all(site: Path, without: Container[str]) -> tuple[list[str], list[Fault]]:
    """Put each other fault into a package of its own, and the program's package's where it is.

    The packages `bad00`, `bad01`, ..., and the faults with the names that warnings have to hold.
    Native code in each would have to name a module of its own for what only it leads to.
    """
    packages, found = [], []
    for number, (name, fault) in enumerate(FAULTS.items()):
        if name in without or fault.program:
            continue
        if name.startswith("the program's"):
            fault.apply(site)
            found.append(fault)
            continue
        part = site.with_name(f"part{number:02}")
        shutil.copytree(site / "bad", part / "bad")
        shutil.copytree(site / INFO, part / INFO)
        (part / "ormsgpack").symlink_to(site / "ormsgpack")  # where a native file is copied from
        fault.apply(part)
        (part / "ormsgpack").unlink()
        for file in (*part.glob("*.dist-info/RECORD"), *part.glob("*.dist-info/METADATA")):
            if file.is_file() and not file.is_symlink() and 0 < file.stat().st_size < 1 << 20:
                mode = file.stat().st_mode
                file.chmod(0o600)
                file.write_bytes(renamed(file.read_bytes(), number))
                file.chmod(mode)
        for entry in os.listdir(os.fsencode(part)):  # noqa: PTH208  (names that are not UTF-8)
            os.rename(os.fsencode(part) + b"/" + entry,  # noqa: PTH104
                      os.fsencode(site) + b"/" + renamed(entry, number))  # fmt: skip
        packages.append(f"bad{number:02}")
        named = fault.named and renamed(fault.named.encode(), number).decode()
        found.append(replace(fault, named=named))
    return packages, found


def renamed(text: bytes, number: int) -> bytes:
    return re.sub(rb"\b(bad|odd)(?=[/.-]|$)", rb"\g<1>%02d" % number, text, flags=re.MULTILINE)


# --- where things are kept ------------------------------------------------------------------------


def closed(path: Path) -> str:
    path.mkdir()
    path.chmod(0o500)
    return str(path)


def file(path: Path) -> str:
    path.touch()
    return str(path)


# Variables of a build, made for a folder that there is; without a value, the variable is not set.
PLACES: dict[str, Callable[[Path], dict[str, str | None]]] = {
    "no HOME": lambda room: {"HOME": None, "XDG_CACHE_HOME": None},
    "HOME is not there": lambda room: {"HOME": "/nonexistent", "XDG_CACHE_HOME": None},
    "HOME is a file": lambda room: {"HOME": file(room / "home"), "XDG_CACHE_HOME": None},
    "HOME is not writable": lambda room: {"HOME": closed(room / "home"), "XDG_CACHE_HOME": None},
    "the cache is a file": lambda room: {"XDG_CACHE_HOME": file(room / "file")},
    "the cache is not writable": lambda room: {"XDG_CACHE_HOME": closed(room / "closed")},
    "the cache is relative": lambda room: {"XDG_CACHE_HOME": "relative"},
    "the cache's name is not UTF-8": lambda room: {
        "XDG_CACHE_HOME": os.fsdecode(os.fsencode(room) + b"/caf\xe9")
    },
    "the cache's name has a line break": lambda room: {"XDG_CACHE_HOME": f"{room}/a\nb"},
    "TMPDIR is not there": lambda room: {"TMPDIR": "/nonexistent"},
    "TMPDIR is a file": lambda room: {"TMPDIR": file(room / "file")},
    "TMPDIR is not writable": lambda room: {"TMPDIR": closed(room / "closed")},
    "neither cache nor TMPDIR is writable": lambda room: dict.fromkeys(
        ("XDG_CACHE_HOME", "TMPDIR"), closed(room / "closed")
    ),
}
