"""`rustext verify`, as its users start it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


class Verify:
    """`rustext verify` as its users start it."""

    def __call__(self, bundle: Path, *arguments: str) -> dict[str, Any]:
        """The document of `--json`; its findings' ids have to agree with the exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "rustext", "verify", str(bundle), "--json", *arguments],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode in {0, 1}, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert report["ok"] == (done.returncode == 0)
        return report

    def errors(self, bundle: Path, *arguments: str) -> list[tuple[str, str]]:
        """The ids and subjects of the findings at error level."""
        findings = self(bundle, *arguments)["findings"]
        return [(f["id"], f["subject"]) for f in findings if f["severity"] == "error"]
