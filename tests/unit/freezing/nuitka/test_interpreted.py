"""The program's first file, as bytecode that does what its source does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rustext.freezing.nuitka.interpreted import as_bytecode

SOURCE = '''"""A program."""
from __future__ import annotations

import sys

class Point:
    x: Missing  # not looked up

def look():
    return sys._getframe(1).f_locals

def main():
    seen = "\\u20ac"
    return look()

if __name__ == "__main__":
    print(__doc__, __file__, Point.__module__, Point.__annotations__, main(), sorted(globals()))
    raise SystemExit(3)
'''


def test_it_does_what_the_source_does(tmp_path: Path) -> None:
    file = tmp_path / "main.py"
    ended = []
    for text in (SOURCE, as_bytecode(SOURCE, file)):
        file.write_text(text)
        done = subprocess.run([sys.executable, str(file)], check=False, capture_output=True)
        ended.append((done.returncode, done.stdout, done.stderr))
    assert ended[0] == ended[1]
    assert ended[0][0] == 3
    assert str(tmp_path) not in text
    assert "def main" not in text
