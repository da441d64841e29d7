"""Caches are written by ldconfig here, and compared with what `ldconfig -p` prints of them."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from rustext.errors import InvalidBinary, TruncatedBinary
from rustext.loaders.ld_so_cache import parse_ld_cache, read_ld_so_conf
from rustext.loaders.sysroot import Sysroot

LDCONFIG = shutil.which("ldconfig", path="/sbin:/usr/sbin:/usr/bin") or "ldconfig"


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("libs")
    code = folder / "x.c"
    code.write_text("int x(void) { return 0; }\n")
    hwcaps = folder / "glibc-hwcaps/x86-64-v3"
    hwcaps.mkdir(parents=True)
    for output in (folder / "libx.so.1", folder / "liby.so.2", hwcaps / "libx.so.1"):
        command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{output.name}"]
        subprocess.run([*command, "-o", output, code], check=True, timeout=60)
    return folder


def cache(folder: Path, layout: str) -> Path:
    conf, output = folder / "conf", folder / f"{layout}.cache"
    conf.write_text(f"{folder}\n")
    subprocess.run([LDCONFIG, "-X", "-c", layout, "-f", conf, "-C", output], check=True, timeout=60)
    return output


@pytest.mark.parametrize("layout", ["old", "new", "compat"])
def test_each_layout_holds_what_ldconfig_says(libraries, layout):
    file = cache(libraries, layout)
    printed = subprocess.run(
        [LDCONFIG, "-p", "-C", file], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    expected = re.findall(r"^\t(\S+) \(.*\) => (\S+)$", printed, re.MULTILINE)
    entries = parse_ld_cache(file.read_bytes())
    assert ("libx.so.1", f"{libraries}/libx.so.1") in expected
    assert [(entry.name, entry.path) for entry in entries] == expected
    ours = {entry.flags for entry in entries if entry.path.startswith(str(libraries))}
    assert ours == {0x0303}  # libc6,x86-64


@pytest.mark.parametrize("layout", ["new", "compat"])
def test_hwcaps_folders_are_named(libraries, layout):
    entries = parse_ld_cache(cache(libraries, layout).read_bytes())
    own = [entry for entry in entries if entry.path.startswith(str(libraries))]
    assert {(entry.name, entry.hwcap) for entry in own} == {
        ("libx.so.1", "x86-64-v3"),
        ("libx.so.1", ""),
        ("liby.so.2", ""),
    }


def test_other_files_are_refused():
    with pytest.raises(InvalidBinary):
        parse_ld_cache(b"\x7fELF" + bytes(100))


@pytest.mark.parametrize("layout", ["old", "new", "compat"])
def test_a_cache_that_is_cut_short_raises_and_never_hangs(libraries, layout):
    data = cache(libraries, layout).read_bytes()
    raised = 0
    for size in range(20, len(data), max(1, len(data) // 200)):
        try:
            parse_ld_cache(data[:size])
        except TruncatedBinary:
            raised += 1
        except InvalidBinary:
            pytest.fail("the magic is whole")
    assert raised > 100


def test_big_endian_caches_are_read_in_their_own_order():
    strings = b"libx.so.1\0/lib/libx.so.1\0"
    base = 48 + 24
    header = b"glibc-ld.so.cache1.1" + (1).to_bytes(4, "big") + len(strings).to_bytes(4, "big")
    header += bytes([3, 0, 0, 0]) + bytes(16)
    entry = b"".join(n.to_bytes(4, "big") for n in (0x0403, base, base + 10, 0)) + bytes(8)
    (found,) = parse_ld_cache(header + entry + strings)
    assert (found.name, found.path, found.flags) == ("libx.so.1", "/lib/libx.so.1", 0x0403)


@pytest.mark.parametrize(("count", "length"), [(50_001, 5), (1, 5000), (2**32 - 1, 5)])
def test_a_cache_of_too_many_or_too_long_texts_is_refused(count: int, length: int) -> None:
    """Each entry may name the same text."""
    header = struct.pack("<20sII20x", b"glibc-ld.so.cache1.1", count, length)
    at = 48 + 24 * min(count, 60_000)
    entry = struct.pack("<iIIIQ", 3, at, at, 0, 0)
    with pytest.raises(InvalidBinary):
        parse_ld_cache(header + entry * min(count, 60_000) + b"x" * length + b"\0")


def test_conf_files_are_included_in_place(tmp_path):
    write(
        tmp_path,
        "etc/ld.so.conf",
        "# first\n/opt/a # why\ninclude ld.so.conf.d/*.conf\n/opt/z/\nhwcap 1 nosegneg\nrelative\n",
    )
    write(tmp_path, "etc/ld.so.conf.d/2.conf", "/opt/c=libc6\n/opt/a\n")
    write(tmp_path, "etc/ld.so.conf.d/1.conf", "include /etc/more\n")
    write(tmp_path, "etc/more", "/opt/b\ninclude /etc/ld.so.conf\n")
    write(tmp_path, "etc/ld.so.conf.d/readme", "/opt/no\n")
    assert read_ld_so_conf(Sysroot(tmp_path)) == ("/opt/a", "/opt/b", "/opt/c", "/opt/z")


def test_without_conf_there_are_no_folders(tmp_path):
    assert read_ld_so_conf(Sysroot(tmp_path)) == ()


def test_conf_folders_are_those_that_ldconfig_takes(tmp_path):
    for folder in ("a", "b", "c"):
        (tmp_path / "opt" / folder).mkdir(parents=True)
    write(tmp_path, "etc/ld.so.conf", "/opt/c\ninclude ld.so.conf.d/*.conf\n")
    write(tmp_path, "etc/ld.so.conf.d/x.conf", "/opt/b/\n/opt/a\n")
    (tmp_path / "lib").mkdir()
    printed = subprocess.run(
        # Only root may change its root folder, if only of a namespace of its own.
        [*([] if os.geteuid() == 0 else ["unshare", "-r"]), LDCONFIG, "-vNXr", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    ).stdout
    taken = re.findall(r"^(/opt/\S+):", printed, re.MULTILINE)
    assert list(read_ld_so_conf(Sysroot(tmp_path))) == taken == ["/opt/c", "/opt/b", "/opt/a"]
