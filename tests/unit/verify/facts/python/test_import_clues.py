"""What the text of a native file says of modules that are not in its bundle."""

from __future__ import annotations

from pathlib import Path

import pytest
from compiling import Compile

from rustext.discovery.native_files import folder_source, iter_native_files
from rustext.verify.facts.python.import_clues import may_hand_in


@pytest.mark.parametrize(
    ("text", "known", "module", "may"),
    [
        ("sysmodulespkg._made", {"pkg", "pkg.core"}, "pkg._made", True),
        ("sysmodulespkg._made", {"pkg"}, "pkg._made", False),  # the file has not been loaded
        ("sysmodulespkg._made", {"pkg", "pkg.core"}, "pkg._other", False),
        ("sysmodulesother._made", {"pkg", "pkg.core"}, "other._made", False),
        ("importpkg._made", {"pkg", "pkg.core"}, "pkg._made", False),  # `sys.modules` is not named
    ],
)
def test_native_code_may_enter_a_module_whose_whole_name_it_has(
    text: str, known: set[str], module: str, may: bool, tmp_path: Path, gcc: Compile
) -> None:
    source = f'const char text[] = "{text}"; void *PyInit_core(void) {{ return 0; }}'
    built = gcc("core.so", source, "-shared", "-fPIC")
    (tmp_path / "site" / "pkg").mkdir(parents=True)
    (tmp_path / "site" / "pkg" / "core.abi3.so").write_bytes(built.read_bytes())
    files = iter_native_files(folder_source(tmp_path / "site"))
    natives = {file.module: (path, file) for path, file in files}
    assert set(natives) == {"pkg.core"}
    assert may_hand_in(natives, known, module) is may
