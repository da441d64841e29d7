"""Which data files a module cannot do without: each is run where the file is not there."""

from __future__ import annotations

import marshal
import subprocess
import sys
from pathlib import Path

import pytest
from environments import write_files

from rustext.verify.bundle.marshal_reader import parse_code
from rustext.verify.bytecode.named_files import find_named_files

HERE = "import os\nfrom pathlib import Path\nHERE = Path(__file__).parent\n"


@pytest.mark.parametrize(
    ("source", "named"),
    [
        (f"{HERE}(HERE / 'table.json').read_text()", "table.json"),
        (f"{HERE}def f():\n    with open(HERE / 'data' / 'words.txt') as file: file.read()\nf()",
         "words.txt"),
        (f"{HERE}open(os.path.join(os.path.dirname(__file__), '..', 'up.csv'))", "../up.csv"),
        ("from importlib.resources import files\n(files('pkg') / 'a/page.html').read_text()",
         "page.html"),
        ("from importlib.resources import files\nname = 'inner'\nfiles('pkg.' + name)", "pkg.*"),
        ("import pkgutil\npkgutil.get_data('pkg', 'grammar.lark')", "grammar.lark"),
        (f"{HERE}try: open(HERE / 'table.json')\nexcept OSError: pass", None),
        (f"{HERE}path = HERE / 'table.json'\nif path.exists(): path.open()", None),
        (f"{HERE}open(HERE / 'made.txt', 'w').write('x')", None),
        (f"{HERE}print('see table.json')", None),
    ],
)  # fmt: skip
def test_a_file_that_a_module_names_is_one_that_it_ends_without(
    source: str, named: str | None, tmp_path: Path
) -> None:
    write_files(tmp_path, {"pkg/__init__.py": "", "pkg/mod.py": source})
    done = subprocess.run(
        [sys.executable, "-c", "import pkg.mod"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    code = parse_code(marshal.dumps(compile(source, "mod.py", "exec")), sys.version_info[:2])
    assert set(find_named_files(code)) == ({named} if named else set())
    assert (done.returncode != 0) == (named is not None)
    assert (named or "").rpartition("/")[2].rstrip("*") in done.stderr
