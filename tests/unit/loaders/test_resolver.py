"""Foreign roots and the shape of answers; the loaders' own rules are in tests/loader_rules."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rustext.errors import RustextError, UnreadableFile
from rustext.loaders.resolver import Resolver, resolve
from rustext.loaders.rules import Loader
from rustext.model.image import Binary, Format, Image, ImageKind, Needed
from rustext.model.libraries import FoundBy, Missing, Resolved

LDCONFIG = shutil.which("ldconfig", path="/sbin:/usr/sbin:/usr/bin") or "ldconfig"
LD_SO = "lib64/ld-linux-x86-64.so.2"
# What a loader's file holds of its built-in folders (SYSTEM_DIRS of glibc's elf/dl-load.c)
BUILT_IN = b"\0.rodata\0/lib64/\0/usr/lib64/\0other\0"


class Root:
    """A foreign root of files whose images are made up; only their names and links are real."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images: dict[Path, Image] = {}
        self.place("/lib64/ld-linux-x86-64.so.2")
        (folder / LD_SO).write_bytes(BUILT_IN)

    def place(self, path: str, *needed: str, **fields: object) -> Path:
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
        values: dict[str, object] = {
            "format": Format.ELF,
            "architecture": "x86_64",
            "bits": 64,
            "byteorder": "little",
            "kind": ImageKind.SHARED,
            "soname": Path(path).name,
            "needed": tuple(Needed(name=name) for name in needed),
        }
        self.images[file] = Image(**{**values, **fields})
        return file

    def read(self, path: Path) -> Binary:
        if path not in self.images:
            raise UnreadableFile(f"cannot read `{path}`")
        return Binary(path=path, images=(self.images[path],))

    def resolve(self, path: Path, **loader: object) -> list[Resolved | Missing]:
        known = Loader(**{"root": self.folder, **loader})
        return list(resolve(path, loader=known, read=self.read).edges)


@pytest.fixture
def root(tmp_path):
    return Root(tmp_path / "root")


def test_default_folders_come_from_the_roots_own_loader(root):
    (missing,) = root.resolve(root.place("/app/mod.so", "libx.so"))
    assert [place.path for place in missing.searched] == ["/lib64/libx.so", "/usr/lib64/libx.so"]


def test_without_a_loader_in_the_root_the_architectures_folders_are_searched(root):
    (root.folder / LD_SO).unlink()
    (missing,) = root.resolve(root.place("/app/mod.so", "libx.so", architecture="aarch64"))
    assert [place.path.removesuffix("/libx.so") for place in missing.searched] == [
        "/lib/aarch64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/lib64",
        "/usr/lib64",
        "/lib",
        "/usr/lib",
    ]


def test_links_in_the_root_lead_to_files_in_the_root(root):
    real = root.place("/opt/libx.so.1")
    (root.folder / "usr").mkdir()
    (root.folder / "usr/lib64").symlink_to("/opt")
    (root.folder / "opt/libx.so").symlink_to("/opt/libx.so.1")
    (edge,) = root.resolve(root.place("/app/mod.so", "libx.so"))
    assert (edge.how, edge.path) == (FoundBy.DEFAULT, real)


def test_without_a_cache_a_foreign_root_is_searched_as_ldconfig_is_told(root):
    (root.folder / "etc").mkdir()
    (root.folder / "etc/ld.so.conf").write_text("/opt/libs\n")
    library = root.place("/opt/libs/libx.so")
    (edge,) = root.resolve(root.place("/app/mod.so", "libx.so"))
    assert (edge.how, edge.path) == (FoundBy.CACHE, library)


def test_the_cache_of_a_foreign_root_names_files_in_it(root, tmp_path):
    library = root.folder / "opt/libs/libx.so"
    root.place("/opt/libs/libx.so")
    code = tmp_path / "x.c"
    code.write_text("int x(void) { return 0; }\n")
    link = ["gcc", "-shared", "-fPIC", "-Wl,-soname,libx.so", "-o", library, code]
    subprocess.run(link, check=True, timeout=60)
    (root.folder / "etc").mkdir()
    (root.folder / "etc/ld.so.conf").write_text("/opt/libs\n")
    command = [LDCONFIG, "-r", root.folder, "-X"]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    (root.folder / "etc/ld.so.conf").unlink()
    (edge,) = root.resolve(root.place("/app/mod.so", "libx.so"))
    assert (edge.how, edge.path) == (FoundBy.CACHE, library)


def test_a_damaged_cache_counts_as_none(root):
    (root.folder / "etc").mkdir()
    (root.folder / "etc/ld.so.cache").write_bytes(b"glibc-ld.so.cache1.1" + b"\xff" * 40)
    (missing,) = root.resolve(root.place("/app/mod.so", "libx.so"))
    assert {place.how for place in missing.searched} == {FoundBy.DEFAULT}


def test_cache_entries_of_another_abi_are_not_looked_at(root):
    """The same name for i686 (flags 3) and x86-64 (0x303), as on a multi-arch system."""
    strings = b"libx.so\0/i686/libx.so\0/x64/libx.so\0"
    base = 48 + 2 * 24
    header = b"glibc-ld.so.cache1.1" + (2).to_bytes(4, "little") + bytes(24)
    entries = b"".join(
        b"".join(n.to_bytes(4, "little") for n in (flags, base, base + path, 0)) + bytes(8)
        for flags, path in ((0x0003, 8), (0x0303, 22))
    )
    (root.folder / "etc").mkdir()
    (root.folder / "etc/ld.so.cache").write_bytes(header + entries + strings)
    library = root.place("/x64/libx.so")
    root.place("/i686/libx.so", architecture="i686", bits=32)
    (edge,) = root.resolve(root.place("/app/mod.so", "libx.so"))
    assert edge.path == library


def test_the_loader_of_the_root_is_in_the_process(root):
    (edge,) = root.resolve(root.place("/app/mod.so", "ld-linux-x86-64.so.2"))
    assert (edge.how, edge.path) == (FoundBy.LOADED, root.folder / LD_SO)


def test_a_bundle_outside_the_root_finds_its_own_libraries_and_the_roots(root, tmp_path):
    bundle = Root(tmp_path / "bundle")
    extension = bundle.place("/pkg/mod.so", "libown.so", "libsys.so", runpath=("$ORIGIN/../libs",))
    own, system = bundle.place("/libs/libown.so"), root.place("/usr/lib64/libsys.so")
    root.images.update(
        {**bundle.images, Path(f"{extension.parent}/../libs/libown.so"): bundle.images[own]}
    )
    first, second = root.resolve(extension)
    assert first.path.resolve() == own
    assert second.path == system


@pytest.mark.parametrize("in_program", [True, False])
def test_a_preloaded_soname_counts_and_is_not_searched(root, in_program):
    library = root.place("/site/core/lib/libcore.so", "libgone.so")
    extension = root.place("/site/pkg/mod.so", "libcore.so")
    program = root.place("/bin/python", kind=ImageKind.EXECUTABLE)
    loader = {"executable": program if in_program else None}
    (missing,) = root.resolve(extension, **loader)
    assert isinstance(missing, Missing)
    (edge,) = root.resolve(extension, **loader, loaded={"libcore.so": library})
    assert (edge.how, edge.path) == (FoundBy.LOADED, library)


def test_a_program_starts_without_what_others_have_loaded(root):
    library = root.place("/site/core/lib/libcore.so")
    tool = root.place("/app/tool", "libcore.so", kind=ImageKind.EXECUTABLE)
    (edge,) = root.resolve(tool, loaded={"libcore.so": library})
    assert isinstance(edge, Missing)


def test_libraries_that_need_each_other_end(root):
    root.place("/lib64/liba.so", "libb.so")
    root.place("/lib64/libb.so", "liba.so")
    edges = root.resolve(root.place("/app/mod.so", "liba.so"))
    assert [edge.how for edge in edges] == [FoundBy.DEFAULT, FoundBy.DEFAULT, FoundBy.LOADED]


def test_a_file_of_another_format_is_rejected_with_the_reason(root):
    root.place("/lib64/liba.so", format=Format.MACHO)
    (missing,) = root.resolve(root.place("/app/mod.so", "liba.so"))
    assert missing.searched[0].rejected == "invalid ELF header: MACHO"


def test_an_unreadable_file_that_is_asked_for_raises(tmp_path):
    with pytest.raises(RustextError):
        resolve(tmp_path / "gone.so", loader=Loader())


def test_an_unreadable_program_raises(root):
    with pytest.raises(RustextError):
        root.resolve(root.place("/app/mod.so"), executable=root.folder / "gone")


def test_a_program_of_another_architecture_holds_nothing(root):
    """An aarch64 extension is judged on its own where the loader's program is x86-64."""
    program = root.place("/bin/python", kind=ImageKind.EXECUTABLE, rpath=("/opt",))
    root.place("/opt/libx.so", architecture="aarch64")
    (missing,) = root.resolve(
        root.place("/app/mod.so", "libx.so", architecture="aarch64"), executable=program
    )
    assert FoundBy.RPATH not in {place.how for place in missing.searched}


def test_a_program_is_its_own_process(root):
    other = root.place("/bin/python", kind=ImageKind.EXECUTABLE, rpath=("/opt",))
    root.place("/opt/libx.so")
    tool = root.place("/app/tool", "libx.so", kind=ImageKind.EXECUTABLE)
    assert isinstance(root.resolve(tool, executable=other)[0], Missing)


def test_the_same_question_has_the_same_answer(root):
    root.place("/lib64/liba.so", "libb.so", "libc.so.6")
    extension = root.place("/app/mod.so", "liba.so")
    resolver = Resolver(loader=Loader(root=root.folder), read=root.read)
    assert resolver.resolve(extension) == resolver.resolve(extension)
