"""What tools do to whole folders on their way: stores, copies, clean-ups, updates, rules of names.

Further: what happens inside of archives whose every record looks sound, to data files that have a
form of their own, and to metadata. As in `damage.py`, nothing here says what becomes of a program.
"""

from __future__ import annotations

import gzip
import hashlib
import marshal
import os
import re
import shutil
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from urllib.parse import quote

from damage import (
    Damage,
    NotHere,
    delete,
    link_to,
    many,
    module_names,
    own,
    patchelf,
    rename,
    rewrite,
    run_tool,
)
from deeper_damage import _module_rows, _record
from more_damage import content_of, edit, entry, repack, set_field

_COOKIE = b"MEI\014\013\012\013\016"
_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123456\n"
)
_PAGE = b"<!DOCTYPE html><html><body><h1>Sign in to continue</h1></body></html>\n"
_STOP = b"raise OSError\n"


# --- the whole folder -------------------------------------------------------------------------


def _files(path: Path) -> list[Path]:
    return [p for p in sorted(path.rglob("*")) if p.is_file() and not p.is_symlink()]


def _is_program(path: Path) -> bool:
    return path.name in {"main", "main.bin", "app", "other"}


def _lose(choose: Callable[[Path], bool]) -> Callable[[Path], None]:
    """Delete files and folders, as a clean-up does by their names."""

    def apply(path: Path) -> None:
        chosen = [p for p in sorted(path.rglob("*")) if choose(p)]
        for one in chosen:
            if os.path.lexists(one):
                delete(one)
        if not chosen:
            raise NotHere

    return apply


def _each_name(change: Callable[[str], str]) -> Callable[[Path], None]:
    """Rename all but the program, as a file system or an archive with fewer names does."""

    def apply(path: Path) -> None:
        changed = False
        for one in sorted(path.rglob("*"), key=lambda p: -len(p.parts)):
            new = change(one.name)
            if new != one.name and not _is_program(one):
                one.rename(one.with_name(new))
                changed = True
        if not changed:
            raise NotHere

    return apply


def _cut_name(name: str) -> str:
    """Level 2 of ISO 9660: 31 characters, the ending kept."""
    stem, dot, ending = name.rpartition(".")
    return name if len(name) <= 31 else f"{stem[: 30 - len(ending)]}{dot}{ending}"


def _as_code_page(name: str) -> str:
    """A zip file's name without the flag that says UTF-8."""
    return name.encode().decode("cp437")


def junked_paths(path: Path) -> None:
    """`unzip -j`: all files in one folder."""
    for one in _files(path):
        if one.parent != path and not (path / one.name).exists():
            one.rename(path / one.name)
    for one in list(path.iterdir()):
        if one.is_dir():
            shutil.rmtree(one)


def _tail_lost(part: float) -> Callable[[Path], None]:
    """The disk was full before the last files came."""

    def apply(path: Path) -> None:
        files = [p for p in _files(path) if not _is_program(p)]
        for one in files[int(len(files) * (1 - part)) :]:
            one.unlink()

    return apply


def _tail_empty(path: Path) -> None:
    """The names of the last files came, their content did not."""
    files = [p for p in _files(path) if not _is_program(p)]
    for one in files[int(len(files) * 0.9) :]:
        rewrite(one, b"")


def _deduplicated(replace: Callable[[Path, Path], None]) -> Callable[[Path], None]:
    """Keep one of several files with the same content."""

    def apply(path: Path) -> None:
        first: dict[str, Path] = {}
        changed = False
        for one in _files(path):
            data = one.read_bytes()
            kept = first.setdefault(hashlib.sha256(data).hexdigest(), one)
            if kept != one and data:
                one.unlink()
                replace(one, kept)
                changed = True
        if not changed:
            raise NotHere

    return apply


def _relative_link(one: Path, kept: Path) -> None:
    one.symlink_to(os.path.relpath(kept, one.parent))


def links_empty(path: Path) -> None:
    """What some archivers make of links."""
    links = [p for p in path.rglob("*") if p.is_symlink()]
    for one in links:
        one.unlink()
        one.write_bytes(b"")
    if not links:
        raise NotHere


def links_cygwin(path: Path) -> None:
    links = [p for p in path.rglob("*") if p.is_symlink()]
    for one in links:
        target = one.readlink()
        one.unlink()
        one.write_bytes(b"!<symlink>\xff\xfe" + str(target).encode("utf-16-le") + b"\0\0")
    if not links:
        raise NotHere


def links_text(path: Path) -> None:
    """A checkout by Git with `core.symlinks=false`."""
    links = [p for p in path.rglob("*") if p.is_symlink()]
    for one in links:
        target = one.readlink()
        one.unlink()
        one.write_text(str(target))
    if not links:
        raise NotHere


def no_links_no_modes(path: Path) -> None:
    """What Python's `zipfile` makes of a folder that its `shutil` has packed without the links."""
    for one in [p for p in path.rglob("*") if p.is_symlink()]:
        one.unlink()
    for one in _files(path):
        own(one)
        one.chmod(0o644)


def _natives(path: Path) -> list[Path]:
    return [p for p in _files(path) if ".so" in p.name]


def _each_native(change: Callable[[Path], None]) -> Callable[[Path], None]:
    """`find -name '*.so*' -exec ...`, which goes on where the tool fails."""

    def apply(path: Path) -> None:
        for one in _natives(path):
            with suppress(NotHere):
                change(one)

    return apply


def apple_doubles(path: Path) -> None:
    """What macOS leaves beside each file on a file system of others."""
    for one in _files(path):
        one.with_name(f"._{one.name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X" + bytes(100))


def unfinished_copies(path: Path) -> None:
    """What rsync and others that copy files leave beside them when they are stopped."""
    for one in _natives(path):
        data = one.read_bytes()
        one.with_name(f".{one.name}.Xq3zT9").write_bytes(data[: len(data) // 2])
        one.with_name(f"~syncthing~{one.name}.tmp").write_bytes(data[:4096])


def contents_linked(path: Path) -> None:
    """A folder with the release in its name, and a link to it."""
    _contents(path).rename(path / "contents-1.0")
    (path / "_internal").symlink_to("contents-1.0")


def folders_stored(path: Path) -> None:
    """Each folder kept elsewhere in the bundle, and linked (GNU stow)."""
    contents = _contents(path)
    (path / "store").mkdir()
    for one in [p for p in contents.iterdir() if p.is_dir()]:
        one.rename(path / "store" / one.name)
        one.symlink_to(f"../store/{one.name}")


def program_linked_in(path: Path) -> None:
    """The program in a folder `bin`, and beside it a link to what it needs."""
    contents = _contents(path)
    (path / "bin").mkdir()
    (path / "main").rename(path / "bin" / "main")
    (path / "bin" / contents.name).symlink_to(f"../{contents.name}")
    (path / "main").symlink_to("bin/main")


def nested_copy(path: Path) -> None:
    """`cp -r _internal app/_internal` where there is one already."""
    inside = _contents(path)
    shutil.copytree(inside, path / "copy", symlinks=True, copy_function=os.link)
    (path / "copy").rename(inside / inside.name)


def _contents(path: Path) -> Path:
    if not (path / "_internal").is_dir():
        raise NotHere
    return path / "_internal"


def init_everywhere(path: Path) -> None:
    """Something made a package of each folder."""
    for one in [p for p in path.rglob("*") if p.is_dir() and not p.name.endswith("-info")]:
        if not (one / "__init__.py").exists():
            (one / "__init__.py").write_bytes(b"")


def _modules_as_text(path: Path) -> list[Path]:
    """The Python files, the largest last."""
    found = [p for p in _files(path) if p.suffix == ".py" and p.stat().st_size]
    if not found:
        raise NotHere
    return sorted(found, key=lambda p: p.stat().st_size)


def _each_source(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        changed = False
        for one in _modules_as_text(path):
            data = one.read_bytes()
            new = change(data)
            if new != data:
                rewrite(one, new)
                changed = True
        if not changed:
            raise NotHere

    return apply


def _last_source(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        one = _modules_as_text(path)[-1]
        rewrite(one, change(one.read_bytes()))

    return apply


def _conflict(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([*lines[:-1], b"<<<<<<< HEAD\n", lines[-1], b"=======\n>>>>>>> other\n"])


def sources_compiled(path: Path) -> None:
    """Bytecode in `__pycache__`, and the sources deleted."""
    for one in _modules_as_text(path):
        made = one.parent / "__pycache__" / f"{one.stem}.cpython-311.pyc"
        made.parent.mkdir(exist_ok=True)
        made.write_bytes(_compile(one))
        one.unlink()


def sources_as_bytecode(path: Path) -> None:
    """Bytecode in the place of the sources (`compileall -b`)."""
    for one in _modules_as_text(path):
        one.with_suffix(".pyc").write_bytes(_compile(one))
        one.unlink()


def _compile(path: Path) -> bytes:
    return _with_header(path.read_bytes(), path.name)


def _with_header(source: bytes, name: str, time: int = 0, size: int = 0) -> bytes:
    """A `.pyc`; one without a source may have any time (PEP 552)."""
    code = marshal.dumps(compile(source, name, "exec"))
    return MAGIC_NUMBER + struct.pack("<III", 0, time, size) + code


def stale_cache(path: Path) -> None:
    """Bytecode of an older version of a module, with the time and size of the newer."""
    one = _modules_as_text(path)[-1]
    state = one.stat()
    made = one.parent / "__pycache__" / f"{one.stem}.cpython-311.pyc"
    made.parent.mkdir(exist_ok=True)
    made.write_bytes(_with_header(b"OLD = 1\n", one.name, int(state.st_mtime), state.st_size))


def _other_version(version: str) -> Callable[[Path], None]:
    """Two builds in one folder: libraries and modules of another Python stayed behind."""

    def apply(path: Path) -> None:
        short = version.replace(".", "")
        home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
        found = sorted(home.glob(f"{version}.*/lib/python{version}/lib-dynload"))
        if not found:
            raise NotHere
        target = path / "_internal" if (path / "_internal").is_dir() else path
        made = target / f"python{version}" / "lib-dynload"
        made.mkdir(parents=True)
        for one in sorted(found[0].glob(f"_[sdb]*cpython-{short}-*.so")):
            shutil.copy(one, made)
            shutil.copy(one, target)
        for one in found[0].parent.parent.glob(f"libpython{version}.so.1.0"):
            shutil.copy(one, target)

    return apply


def _shadow_in(folder: str, names: tuple[str, ...], data: bytes) -> Callable[[Path], None]:
    """A module of that name in a folder that Python looks at."""

    def apply(path: Path) -> None:
        for top in (path / "_internal" / folder, path / folder):
            if top.is_dir():
                for name in names:
                    (top / name).parent.mkdir(exist_ok=True)
                    (top / name).write_bytes(data)
                return
        raise NotHere

    return apply


def _python_ignored(path: Path) -> bool:
    """What the usual `.gitignore` for Python leaves out, libraries aside."""
    return path.suffix in {".mo", ".pot", ".log", ".manifest", ".spec", ".egg"} or path.name in {
        "lib", "lib64", "parts", "var", "wheels", "sdist", "build", "develop-eggs", "downloads",
        "local_settings.py", "db.sqlite3", "target", "instance", ".env", "env", "venv",
    }  # fmt: skip


def _cvs_ignored(path: Path) -> bool:
    """What `rsync -C` leaves out, libraries aside."""
    return path.name in {"core", "tags", "TAGS", "RCS", "SCCS"} or path.suffix in {
        ".bak", ".old", ".orig", ".rej", ".a", ".o", ".obj", ".exe", ".Z", ".elc", ".ln",
    }  # fmt: skip


def _for_typing(path: Path) -> bool:
    return path.suffix in {".pyi", ".md", ".h", ".pxd", ".c", ".rst", ".typed"} or (
        path.is_file() and path.name.startswith(("LICENSE", "COPYING", "NOTICE", "AUTHORS"))
    )


def _plain_name(path: Path) -> bool:
    """A file without a suffix that nobody may execute."""
    return (
        path.is_file() and not path.is_symlink() and "." not in path.name
        and not path.stat().st_mode & 0o111 and not path.parent.name.endswith("-info")
    )  # fmt: skip


# --- metadata ---------------------------------------------------------------------------------


def _part(name: str, change: Callable[[bytes], bytes] | None) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        one = path / name
        if not one.is_file():
            raise NotHere
        if change is None:
            one.unlink()
        else:
            rewrite(one, change(one.read_bytes()))

    return apply


def _older(first: bool) -> Callable[[Path], None]:
    """The metadata of an earlier release stayed behind."""

    def apply(path: Path) -> None:
        name = path.name.partition("-")[0]
        made = path.with_name(f"{name}-0.{'0' if first else '9'}.dist-info")
        if first:  # a folder lists what was made first in no order that one may rely on
            held = path.rename(path.with_name("held"))
            shutil.copytree(held, made)
            shutil.copytree(held, path)
            shutil.rmtree(held)
        else:
            shutil.copytree(path, made)
        text = (made / "METADATA").read_bytes()
        rewrite(made / "METADATA", re.sub(rb"(?m)^Version: .*$", b"Version: 0.1", text))
        (made / "entry_points.txt").unlink(missing_ok=True)

    return apply


# --- data files -------------------------------------------------------------------------------


def _into(folder: str) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        made = path.parent / folder
        made.mkdir(exist_ok=True)
        path.rename(made / path.name)

    return apply


def packed_with_name(path: Path) -> None:
    """A web server's packed copy, and the plain one gone."""
    path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def _as_code(name: str) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        try:
            return data.decode().encode(name)
        except UnicodeError:
            raise NotHere from None

    return change


# --- native files -----------------------------------------------------------------------------


def _sections(*names: str) -> Callable[[Path], None]:
    return run_tool("objcopy", *(part for name in names for part in ("-R", name)))


def versions_moved(path: Path) -> None:
    """`patchelf --clear-symbol-version` for what is called most."""
    for symbol in ("memcpy", "strlen", "free", "PyObject_Call"):
        patchelf("--clear-symbol-version", symbol)(path)


def no_default_folders(path: Path) -> None:
    patchelf("--no-default-lib")(path)


def bits_lost(path: Path) -> None:
    """A connection of seven bits."""
    rewrite(path, bytes(byte & 0x7F for byte in path.read_bytes()))


# --- archives ---------------------------------------------------------------------------------


def _swapped_modules(*pairs: tuple[str, str]) -> Callable[[Path], None]:
    """The larger of two modules has the other's code, packed as it should be."""

    def apply(path: Path) -> None:
        data, rows = _module_rows(path)
        for pair in pairs:
            if rows.keys() >= set(pair):
                small, large = sorted((rows[name] for name in pair), key=lambda row: row.size)
                code = data[small.offset : small.offset + small.size]
                data[large.offset : large.offset + large.size] = code.ljust(large.size, b"\0")
                path.write_bytes(data)
                return
        raise NotHere

    return apply


def _emptied_module(*names: str) -> Callable[[Path], None]:
    """The code of an empty module in the place of a module's."""

    def apply(path: Path) -> None:
        data, rows = _module_rows(path)
        for name in names:
            if name in rows:
                row = rows[name]
                code = compile(b"", f"{name}.py", "exec")
                packed = zlib.compress(marshal.dumps(code), 9)
                if len(packed) <= row.size:
                    data[row.offset : row.offset + row.size] = packed.ljust(row.size, b"\0")
                    path.write_bytes(data)
                    return
        raise NotHere

    return apply


def _without(*names: str) -> Callable[[Path], None]:
    """Rename the modules in the table of PyInstaller's archive, and what lies below them."""

    def apply(path: Path) -> None:
        data = own(path)
        rows = module_names(data)
        chosen = [m for m in rows if any(m == n or m.startswith(f"{n}.") for n in names)]
        if not chosen:
            raise NotHere
        for name in chosen:
            data = data.replace(rows[name], rows[name][:-1] + b"~")
        path.write_bytes(data)

    return apply


def not_a_package(path: Path) -> None:
    """The table says that packages are modules."""
    data = bytearray(own(path))
    names = module_names(bytes(data))
    packages = {n.rpartition(".")[0] for n in names}
    changed = 0
    for name, raw in names.items():
        if name in packages:
            at = bytes(data).find(raw)
            # After the name: a tuple of kind, place and length (a small tuple, an int of 4 bytes).
            for after in (at + len(raw), at + len(raw) + 1):
                if data[after : after + 3] == b"\xa9\3i" or data[after : after + 3] == b")\3i":
                    struct.pack_into("<i", data, after + 3, 0)
                    changed += 1
                    break
                if data[after : after + 3] in (b"\xa9\3\xe9", b")\3\xe9"):
                    struct.pack_into("<i", data, after + 3, 0)
                    changed += 1
                    break
    if not changed:
        raise NotHere
    path.write_bytes(data)


def _entries(data: bytes) -> Iterator[tuple[int, int, int, bytes, bytes]]:
    """Place in the table, place and length of the content, kind and name of each record."""
    cookie = data.rfind(_COOKIE)
    if cookie < 0:
        raise NotHere
    size, table, length = struct.unpack_from("!III", data, cookie + 8)
    start = cookie + 88 - size
    at = start + table
    end = at + length
    while at < end:
        row, offset, packed = struct.unpack_from("!III", data, at)
        kind, name = data[at + 17 : at + 18], data[at + 18 : at + row].rstrip(b"\0")
        yield at, start + offset, packed, kind, name
        at += row


def _damaged_record(kind: bytes, part: bytes) -> Callable[[Path], None]:
    """Change bytes of one packed file in a one-file program."""

    def apply(path: Path) -> None:
        data = bytearray(own(path))
        for _, offset, packed, found, name in _entries(bytes(data)):
            if found == kind and part in name and packed > 60:
                for at in range(offset + packed // 2, offset + packed // 2 + 8):
                    data[at] ^= 0x5A
                path.write_bytes(data)
                return
        raise NotHere

    return apply


def _renamed_record(kind: bytes, part: bytes, old: bytes, new: bytes) -> Callable[[Path], None]:
    """Give packed files another name of the same length."""

    def apply(path: Path) -> None:
        data = bytearray(own(path))
        changed = False
        for at, _, _, found, name in _entries(bytes(data)):
            if found == kind and part in name and old in name:
                put = name.replace(old, new, 1)
                data[at + 18 : at + 18 + len(put)] = put
                changed = True
        if not changed:
            raise NotHere
        path.write_bytes(data)

    return apply


def zip64(path: Path) -> None:
    """Written by a tool that streams: sizes of eight bytes."""
    with zipfile.ZipFile(path) as archive:
        members = [(i.filename, archive.read(i)) for i in archive.infolist()]
    path.unlink()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(data)


def _member(name: str, data: bytes) -> Callable[[Path], None]:
    return repack(lambda members: [*members, (name, data)])


def _cache_names(name: str) -> str:
    folder, _, file = name.rpartition("/")
    stem = file.removesuffix(".pyc")
    return f"{folder}/__pycache__/{stem}.cpython-311.pyc".lstrip("/")


LATEST: list[Damage] = [
    *many(
        "root",
        all_lower=_each_name(str.lower), cut_names=_each_name(_cut_name),
        url_names=_each_name(lambda n: quote(n, safe=" ~")),
        underscores=_each_name(lambda n: n.replace("-", "_")),
        decomposed=_each_name(lambda n: unicodedata.normalize("NFD", n)),
        code_page=_each_name(_as_code_page),
        question_marks=_each_name(lambda n: n.encode("ascii", "replace").decode()),
        no_hidden=_lose(lambda p: p.name.startswith(".")),
        no_empty_files=_lose(lambda p: p.is_file() and not p.stat().st_size),
        no_python_files=_lose(lambda p: p.suffix in {".py", ".pyc"}),
        no_templates=_lose(lambda p: p.suffix in {".tmpl", ".j2", ".mako"}),
        gitignored=_lose(_python_ignored), cvs_ignored=_lose(_cvs_ignored),
        no_typing_files=_lose(_for_typing), no_plain_names=_lose(_plain_name),
        no_zones=_lose(lambda p: p.name == "zoneinfo"),
        no_locale=_lose(lambda p: p.name in {"locale", "locales"}),
        no_databases=_lose(lambda p: p.suffix in {".sqlite", ".db", ".dat", ".bin"}
                           and not _is_program(p)),
        no_records=_lose(lambda p: p.name in {"RECORD", "INSTALLER", "REQUESTED", "WHEEL"}),
        junked_paths=junked_paths,
        tail_lost_1=_tail_lost(0.01), tail_lost_5=_tail_lost(0.05), tail_lost_20=_tail_lost(0.2),
        tail_lost_50=_tail_lost(0.5), tail_empty=_tail_empty,
        deduplicated=_deduplicated(lambda one, kept: None),
        linked_duplicates=_deduplicated(_relative_link),
        linked_duplicates_absolutely=_deduplicated(lambda one, kept: one.symlink_to(kept)),
        hard_linked=_deduplicated(lambda one, kept: os.link(kept, one)),
        links_empty=links_empty, links_cygwin=links_cygwin, nested_copy=nested_copy,
        init_everywhere=init_everywhere, links_text=links_text,
        no_links_no_modes=no_links_no_modes, apple_doubles=apple_doubles,
        unfinished_copies=unfinished_copies, contents_linked=contents_linked,
        folders_stored=folders_stored, program_linked_in=program_linked_in,
        no_metadata=_lose(lambda p: p.name.endswith(".dist-info")),
        each_stripped=_each_native(run_tool("strip")),
        each_without_run_path=_each_native(patchelf("--remove-rpath")),
        sources_latin=_each_source(lambda d: d.decode().encode("latin-1", "replace")),
        sources_utf_16=_each_source(lambda d: d.decode().encode("utf-16")),
        source_conflict=_last_source(_conflict),
        source_cut=_last_source(lambda d: d[: len(d) // 2]),
        source_zeros=_last_source(lambda d: bytes(len(d))),
        source_empty=_last_source(lambda _: b""),
        source_lines=_each_source(lambda d: d.replace(b"\n", b"\r\n")),
        source_old_lines=_each_source(lambda d: d.replace(b"\n", b"\r")),
        source_spaces=_last_source(lambda d: d.replace(b"    ", b"\t", 1)),
        sources_compiled=sources_compiled, sources_as_bytecode=sources_as_bytecode,
        stale_cache=stale_cache,
        older_python_left=_other_version("3.10"), newer_python_left=_other_version("3.12"),
        shadow_in_contents=_shadow_in(".", ("_decimal.py", "_sqlite3.py", "_ssl.py"), _STOP),
        shadow_in_dynload=_shadow_in(
            "python3.11/lib-dynload", ("_cffi_backend.py", "orjson.py"), _STOP),
        shadow_by_package=_shadow_in("python3.11/lib-dynload", ("_ssl/__init__.py",), _STOP),
    ),
    *many(
        "metadata",
        no_entry_points=_part("entry_points.txt", None),
        empty_entry_points=_part("entry_points.txt", lambda _: b""),
        other_entry_points=_part("entry_points.txt", lambda d: d.replace(b".alpha", b".gamma")),
        no_record=_part("RECORD", None), empty_metadata=_part("METADATA", lambda _: b""),
        metadata_lines=_part("METADATA", lambda d: d.replace(b"\n", b"\r\n")),
        no_version=_part("METADATA", lambda d: re.sub(rb"(?m)^Version: .*\n", b"", d)),
        utf_16=_part("METADATA", lambda d: d.decode("utf-8").encode("utf-16")),
        pointer=_part("METADATA", lambda _: _POINTER),
        older_first=_older(first=True), older_last=_older(first=False),
        lower_name=rename(str.lower),
        no_version_in_name=rename(lambda n: f"{n.partition('-')[0]}.dist-info"),
        underscore=rename(lambda n: n.replace(".dist-info", ".dist_info")),
    ),
    *many(
        "data",
        pointer=edit(lambda _: _POINTER), page=edit(lambda _: _PAGE),
        compressed=edit(gzip.compress), packed_with_name=packed_with_name,
        utf_16=edit(_as_code("utf-16")), latin=edit(_as_code("latin-1")),
        cut_half=edit(lambda d: d[: len(d) // 2]), bits_lost=bits_lost,
        recoded=edit(lambda d: d.decode("utf-8", "replace").encode()),
        conflict=edit(_conflict), one_up=lambda p: p.rename(p.parent.parent / p.name) and None,
        one_down=_into("data"), text_name=rename(lambda n: f"{n}.txt"),
        numbered=rename(lambda n: n.replace(".", " (1).", 1)),
        dotted=rename(lambda n: f".{n}"), spaced=rename(lambda n: f"{n} "),
        null_device=link_to(lambda _: "/dev/null"), circular_link=link_to(lambda p: p.name),
    ),
    *many(
        "native",
        no_default_folders=no_default_folders, versions_moved=versions_moved,
        no_libc_need=patchelf("--remove-needed", "libc.so.6"),
        shrunk_run_path=patchelf("--shrink-rpath"),
        shell_run_path=patchelf("--set-rpath", "RIGIN"),
        quoted_run_path=patchelf("--set-rpath", "'$ORIGIN'"),
        forced_run_path=patchelf("--force-rpath", "--set-rpath", "$ORIGIN:$ORIGIN/.."),
        no_relocations=_sections(".rela.dyn"), no_constants=_sections(".rodata"),
        no_table=_sections(".got", ".got.plt"), no_initial_data=_sections(".data"),
        no_relro_data=_sections(".data.rel.ro"), no_symbol_versions=_sections(".gnu.version"),
        no_names=_sections(".dynsym"), no_frame_header=_sections(".eh_frame_hdr"),
        bits_lost=bits_lost, page_page=edit(lambda _: _PAGE),
        linked_hard=lambda p: os.link(p, p.with_name(f"{p.name}.again")),
        renamed_symbols=run_tool("objcopy", "--prefix-symbols=x_"),
        bind_now=entry(30, value=8), static_only=entry(21, value=0),
        no_debug_entry=entry(21, new_tag=0x6FFFFE00),
        no_terminator=run_tool("objcopy", "--update-section", ".dynamic=/dev/null"),
    ),
    *many(
        "extension",
        middle_python=content_of("3.10.*/lib/python3.10/lib-dynload/{stem}.*.so"),
        newest_python=content_of("3.13.*/lib/python3.13/lib-dynload/{stem}.*.so"),
        oldest_python=content_of("3.6.*/lib/python3.6/lib-dynload/{stem}.*.so"),
        no_relocations=_sections(".rela.dyn"), no_initial_data=_sections(".data"),
        shell_run_path=patchelf("--set-rpath", "RIGIN"),
        dashed=rename(lambda n: n.replace("cpython-311", "cpython_311")),
        cut_name=rename(_cut_name),
    ),
    *many(
        "program",
        no_default_folders=no_default_folders,
        no_string_named=_without("logging.handlers"),
        no_late_function=_without("statistics", "textwrap", "tomllib", "string"),
        no_spawn=_without("multiprocessing.spawn", "multiprocessing.popen_spawn_posix"),
        no_spawn_hook=_record(
            lambda kind, name: kind == b"s" and name == b"pyi_rth_multiprocessing", b"o", None),
        no_pkgutil_hook=_record(
            lambda kind, name: kind == b"s" and name == b"pyi_rth_pkgutil", b"o", None),
        no_hooks=_record(
            lambda kind, name: kind == b"s" and name.startswith(b"pyi_rth_"), b"o", None),
        no_first_script=_record(
            lambda kind, name: kind == b"s" and name.startswith(b"pyiboot"), b"o", None),
        no_ctypes_part=_record(lambda _, name: name.startswith(b"pyimod03"), b"o", None),
        no_archive_part=_record(lambda _, name: name.startswith(b"pyimod01"), b"o", None),
        no_struct_part=_record(lambda kind, name: kind == b"m" and name == b"struct", b"o", None),
        swapped_early=_swapped_modules(("json.decoder", "json.encoder"), ("typing", "socket")),
        swapped_late=_swapped_modules(("toolbox.late", "toolbox.logs"), ("kit.late", "kit.logs"),
                                      ("textwrap", "tempfile"), ("statistics", "selectors")),
        emptied_early=_emptied_module("json.decoder", "typing", "datetime"),
        emptied_late=_emptied_module("textwrap", "statistics", "decimal", "tomllib"),
        emptied_name=_emptied_module("logging.handlers", "gettext", "string"),
        not_a_package=not_a_package,
        no_late_binary=_renamed_record(b"b", b"lib-dynload/_decimal.", b"_decimal", b"_decimax"),
        no_sqlite_binary=_renamed_record(b"b", b"libsqlite3", b"libsqlite3", b"libsqlite2"),
        data_elsewhere=_renamed_record(b"x", b"toolbox/data/", b"toolbox/data", b"toolbox/date"),
        damaged_data=_damaged_record(b"x", b"METADATA"),
        damaged_license=_damaged_record(b"x", b"LICENSE"),
        damaged_late_binary=_damaged_record(b"b", b"_codecs_tw"),
        upward_data=_renamed_record(b"x", b"METADATA", b"jsonschema", b"../../json"),
        bits_lost=bits_lost, abi_version=set_field(8, b"\1"),
    ),
    *many(
        "library-archive",
        zip64=zip64, bzip2=repack(lambda m: m, zipfile.ZIP_BZIP2),
        cache_names=repack(lambda m: [(_cache_names(n), d) for n, d in m]),
        dot_names=repack(lambda m: [(f"./{n}", d) for n, d in m]),
        absolute_names=repack(lambda m: [(f"/{n}", d) for n, d in m]),
        lower_names=repack(lambda m: [(n.upper(), d) for n, d in m]),
        shadow_member=_member("_decimal.pyc", b""),
        shadow_source=_member("_ssl.py", b"raise OSError\n"),
        stale_source=_member("codecs.py", b"raise OSError\n"),
        no_charset=repack(lambda m: [x for x in m if not re.search("cp1252|shift_jis", x[0])]),
        no_traceback=repack(lambda m: [x for x in m if x[0] != "traceback.pyc"]),
        optimised=repack(lambda m: [(n.replace(".pyc", ".opt-2.pyc"), d) for n, d in m]),
        padded=edit(lambda d: d + bytes(10)),
    ),
]  # fmt: skip
