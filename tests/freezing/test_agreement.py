"""What `verify` says of damaged bundles agrees with how they run.

A choice from the ways of `damage.py` and `more_damage.py`, on small bundles of four kinds that are
made here; `./test --agreement` takes them all, on bundles of real programs.
"""

from __future__ import annotations

from pathlib import Path

import agreement
import pytest
from agreement import Case, Healthy, judge, name_outcome, start, try_case
from damage import DAMAGES, copy_bundle, find_targets
from deeper_damage import DEEPER
from further_damage import FURTHER
from lab import Lab
from latest_damage import LATEST
from more_damage import MORE

from rustext.verify.onefile.open_bundle import open_bundle

pytestmark = [pytest.mark.freezing, pytest.mark.network]

REQUIREMENT = "ormsgpack==1.13.1"
SPEC = """
def program(analysis, name, **options):
    scripts, archive = analysis.scripts, PYZ(analysis.pure)
    return EXE(archive, scripts, exclude_binaries=True, name=name, **options)

main = Analysis(["main.py"], datas=[("words/*.json", "words")])
other = Analysis(["other.py"])
parts = main.binaries, main.datas
COLLECT(program(main, "main"), *parts, name="folder")
COLLECT(program(main, "main"), program(other, "other"), *parts, other.binaries, name="two")
flat = program(main, "main", contents_directory=".", strip=True)
COLLECT(flat, *parts, strip=True, name="flat")
EXE(PYZ(main.pure), main.scripts, *parts, name="alone")
"""
MAIN = """
import json, ormsgpack, words
try:
    import _queue
except ModuleNotFoundError:  # which a file that cannot be loaded does not raise
    pass
print(json.dumps(ormsgpack.unpackb(ormsgpack.packb({"a": 1}))))
"""
WORDS = """
from pathlib import Path
FIRST = (Path(__file__).parent / "first.json").read_text("utf-8")
def later():
    return Path(__file__).with_name("later.json").read_text("utf-8")
"""
# The kind of bundle, what is done to which of its files.
CASES = [
    *(
        ("folder", f"native:{way}", pattern)
        for pattern, ways in {
            "_struct.*.so": ("delete", "text", "cut-half", "upper-case", "as-pie", "no-versions"),
            "ormsgpack.*.so": ("other-machine", "needs-more", "strip", "undefined-data", "folder"),
            "_codecs_cn.*.so": ("delete", "text", "absolute-link", "recoded"),
            "_uuid.*.so": ("only-debug", "short-relocations", "hidden"),
            "math.*.so": ("dangling-link", "abi-version", "zeros"),
            "_queue.*.so": ("delete", "text", "cut-half"),
            "_posixsubprocess.*.so": ("one-up", "no-version-needs", "no-calls"),
            "libpython3*": ("delete", "no-hash", "needs-absolute", "text-transfer", "no-buckets"),
            "libz.so*": ("no-execute-flag", "far-relro", "far-init", "fifo", "debug-compressed"),
        }.items()
        for way in ways
    ),
    *(
        ("folder", f"python:{way}", "libpython3*")
        for way in ("stub", "no-export", "no-start", "no-late")
    ),
    ("folder", "extension:stale-first", "ormsgpack.*.so"),
    ("folder", "extension:stale-last", "ormsgpack.*.so"),
    *(
        ("folder", f"library-archive:{way}", "base_library.zip")
        for way in ("unused-damage", "early-damage", "stale-members", "lzma", "deflated",
                    "as-folder", "no-keyword", "tail-lost", "unreadable", "wrong-crc", "encrypted",
                    "no-local-header", "other-text", "odd-flags", "unchecked", "far-member")
    ),
    *(
        ("folder", f"program:{way}", "main")
        for way in ("early-module-damage", "no-execute-bit", "side-loaded", "side-lost", "no-read",
                    "other-class", "linked-away", "no-json", "no-script", "cut-code", "no-dynamic",
                    "no-execute-flag", "other-contents")
    ),
    ("folder", "folder:linked-folder", "ormsgpack"),
    ("folder", "folder:unreadable", "ormsgpack"),
    ("two", "other-program:no-archive", "other"),
    ("two", "other-program:no-interpreter", "other"),
    *(
        ("folder", f"root:{way}", "folder")
        for way in ("flattened", "programs-only", "no-dynload", "no-execute", "stale-package")
    ),
    *(
        ("folder", f"library-archive:{way}", "base_library.zip")
        for way in ("zip64", "bzip2", "cache-names", "dot-names", "stale-source", "shadow-member",
                    "padded", "optimised")
    ),
    *(
        ("folder", f"root:{way}", "folder")
        for way in ("underscores", "cut-names", "junked-paths", "nested-copy",
                    "hard-linked", "newer-python-left")
    ),
    *(
        ("folder", f"program:{way}", "main")
        for way in ("no-struct-part", "no-default-folders", "no-first-script", "no-archive-part",
                    "not-a-package", "emptied-early")
    ),
    ("folder", "root:older-python-left", "folder"),
    *(
        ("folder", f"root:{way}", "folder")
        for way in ("apple-doubles", "contents-linked", "folders-stored", "no-links-no-modes",
                    "each-without-run-path", "program-linked-in")
    ),
    ("folder", "data:text-name", "first.json"),
    ("alone", "program:damaged-data", "main"),
    ("folder", "data:delete", "first.json"),
    ("folder", "data:one-up", "first.json"),
    ("folder", "data:delete", "later.json"),
    ("flat", "data:upper-case", "first.json"),
    ("two", "native:delete", "_struct.*.so"),
    ("flat", "native:delete", "_struct.*.so"),
    ("flat", "native:delete", "_codecs_cn.*.so"),
    ("alone", "program:more-at-end", "main"),
    ("alone", "program:pages", "main"),
    ("alone", "root:notes", "alone"),
]  # fmt: skip
_WAYS = {f"{d.targets}:{d.name}": d for d in (*DAMAGES, *MORE, *FURTHER, *DEEPER, *LATEST)}


@pytest.fixture(scope="module")
def bundles(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Healthy]:
    """Four kinds of bundles of the same program."""
    out = tmp_path_factory.mktemp("kinds")
    (out / "folder.spec").write_text(SPEC)
    (out / "main.py").write_text(MAIN)
    (out / "words").mkdir()
    (out / "words" / "__init__.py").write_text(WORDS)
    for name in ("first.json", "later.json"):
        (out / "words" / name).write_text("{}")
    (out / "other.py").write_text("import json\nprint(json.dumps({}))\n")
    lab.freeze("pyinstaller", out / "folder.spec", REQUIREMENT, out=out, rustext=True)
    alone = out / "dist" / "alone"
    (out / "dist" / "main").mkdir()
    alone.rename(out / "dist" / "main" / "main")
    (out / "dist" / "main").rename(alone)
    made = {}
    for name in ("folder", "two", "flat", "alone"):
        root = out / "dist" / name
        code, printed, last = start(root, root / "main")
        assert (code, printed) == (0, '{"a": 1}\n'), (name, last)
        made[name] = Healthy(name=name, root=root, program=root / "main", printed=printed)
    return made


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged copies lie with the other files of the test."""
    monkeypatch.setattr(agreement, "CACHE", tmp_path)


@pytest.mark.parametrize("kind", ["folder", "two", "flat", "alone"])
def test_a_bundle_that_works_is_clean(kind: str, bundles: dict[str, Healthy]) -> None:
    assert judge(bundles[kind].root) == ("clean", [])


@pytest.mark.parametrize(("kind", "way", "pattern"), CASES)
def test_a_verdict_agrees_with_the_run(
    kind: str, way: str, pattern: str, bundles: dict[str, Healthy]
) -> None:
    bundle, damage = bundles[kind], _WAYS[way]
    targets = find_targets(bundle.root, bundle.program)[damage.targets]
    (target,) = [t for t in targets if t.match(pattern)]
    row = try_case(Case(bundle=bundle, damage=damage, target=target), {})
    assert row is not None
    assert name_outcome(row) in {"found", "clean, works", "warned, works"}, row


@pytest.mark.parametrize("name", ["_struct.cpython-38-x86_64-linux-gnu.so", "_struct"])
def test_a_misnamed_module_is_one_finding(
    name: str, bundles: dict[str, Healthy], tmp_path: Path
) -> None:
    root = tmp_path / "folder"
    copy_bundle(bundles["folder"].root, root)
    (module,) = root.rglob("_struct.*.so")
    module.rename(module.with_name(name))
    assert start(root, root / "main")[0] != 0
    verdict, found = judge(root)
    assert verdict == "error"
    assert len(found) == 1


def test_a_one_file_program_is_judged_with_other_files_in_its_folder(
    bundles: dict[str, Healthy], tmp_path: Path
) -> None:
    root = tmp_path / "alone"
    copy_bundle(bundles["alone"].root, root)
    (root / "README.txt").write_text("read me\n")
    assert start(root, root / "main")[:2] == (0, bundles["alone"].printed)
    assert judge(root) == ("clean", [])
    with open_bundle(root) as bundle:
        assert bundle.path == root / "main"
