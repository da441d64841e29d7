"""Files of Python code that code lists or reads, and metadata, by what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from environments import environment, install

from rustext.discovery.source_facts import read_sources, used_files
from rustext.plan.metadata_files import find_asked_metadata
from rustext.plan.read_sources import find_listed_files

LOOP = (
    "for f in os.listdir(__file__):\n  if f.endswith('.py'): import_module(f'pkg.rules.{f[:-3]}')"
)
HERE = "import importlib\nfrom pathlib import Path\nhere = Path(__file__).parent\n"
FILES = ("pkg/rules/__init__.py", "pkg/rules/r1.py", "pkg/rules/deep/r2.py", "pkg/other/o.py")


def listed(site: Path, text: str, *more: str) -> set[str]:
    install(site, "pkg", files={"pkg/__init__.py": text, **dict.fromkeys((*FILES, *more), "")})
    dist = environment(site).distributions["pkg"]
    return {str(c.destination) for c in find_listed_files(read_sources(dist), dist)}


@pytest.mark.parametrize(
    ("text", "files"),
    [
        (f"{HERE}(here / 'rules').glob('*.py')", {"pkg/rules/r1.py"}),
        (LOOP, {"pkg/rules/r1.py"}),
        (f"{HERE}(here / 'rules').glob('*.toml')", set()),
        (f"{HERE}open(here / 'rules' / 'r1.py')", set()),
    ],
)
def test_modules_in_a_folder_that_code_lists_are_files(
    text: str, files: set[str], tmp_path: Path
) -> None:
    assert listed(tmp_path, text) == files


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("import lazy\n__getattr__ = lazy.attach_stub(__name__, __file__)", True),
        ("import lazy\n__getattr__ = lazy.attach(__name__, ['core'])", False),
    ],
)
def test_a_stub_that_a_lazy_module_reads_is_a_file(text: str, read: bool, tmp_path: Path) -> None:
    assert listed(tmp_path, text, "pkg/__init__.pyi") == ({"pkg/__init__.pyi"} if read else set())


def test_metadata_comes_along_for_the_distributions_that_code_names_and_requires(
    tmp_path: Path,
) -> None:
    text = (
        "from importlib.metadata import version\nfor n in ('Some_Dep', 'other', 'no'): version(n)"
    )
    install(tmp_path, "pkg", files={"pkg.py": text}, requires=["some-dep"])
    for name in ("some-dep", "other", "third"):
        install(tmp_path, name)
    env = environment(tmp_path)
    files = used_files(read_sources(env.distributions["pkg"]))
    required = env.requirements_of("pkg")
    found = [
        str(c.path.relative_to(tmp_path)) for c in find_asked_metadata(files, env, among=required)
    ]
    assert found == ["some_dep-1.0.dist-info/METADATA"]
    assert len(list(find_asked_metadata(files, env))) == 2
