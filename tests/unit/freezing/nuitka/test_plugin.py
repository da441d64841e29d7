"""What the plugin says, and when."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from environments import write_files
from nuitka_plugin import load_plugin

METADATA = "Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n"


@pytest.mark.usefixtures("lean_path")
def test_a_fault_is_named_once_and_before_nuitka_meets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path, {"app/main.py": "", "site/bad-1.0.dist-info/METADATA": METADATA})
    os.mkfifo(tmp_path / "site/bad-1.0.dist-info/RECORD")  # Nuitka waits for its end
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    script, plugin = tmp_path / "app/main.py", load_plugin()
    options = SimpleNamespace(getMainEntryPointFilenames=lambda: [str(script)])
    monkeypatch.setattr(plugin, "_options", lambda: options)
    main = SimpleNamespace(getCompileTimeFilename=lambda: str(script), isMainModule=lambda: True)
    build = plugin.NuitkaPluginRustext()
    for expected in (1, 0):
        build.getImplicitImports(main)
        said = " ".join(capsys.readouterr().err.split())
        assert said.count("bad-1.0.dist-info/RECORD`: it is not a regular file") == expected
