"""A module under a name that its Python never looks for, as some build systems install it.

The program fails before it is frozen; with rustext the bundle has the module under the right name.
"""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest
from lab import FREEZERS, Lab

from rustext.environment.environment import stdlib_environment
from rustext.verify.bundle.bundle import read_bundle
from rustext.verify.facts.left_plan import find_plan
from rustext.verify.verify import read_subject, verify

pytestmark = [pytest.mark.freezing, pytest.mark.network]

# The second one makes it an environment that no other test uses.
REQUIREMENTS = ("rpds-py==0.27.1", "iniconfig==2.1.0")
SUFFIX = str(sysconfig.get_config_var("EXT_SUFFIX"))
CARELESS = SUFFIX.replace("-linux-gnu", "v9-linux-gnu")  # as from `uname -m`
PROGRAM = "import rpds; print(sorted(rpds.HashTrieMap({'a': 1}).insert('b', 2)))\n"


def misname(python: Path) -> None:
    """Give the module another name, in its distribution's RECORD as well."""
    site = next(python.parent.parent.glob("lib/*/site-packages"))
    (record,) = site.glob("rpds_py-*.dist-info/RECORD")
    right = site / "rpds" / f"rpds{SUFFIX}"
    if right.exists():
        right.rename(right.with_name(f"rpds{CARELESS}"))
        record.write_text(record.read_text().replace(SUFFIX, CARELESS))


@pytest.mark.parametrize("freezer", FREEZERS)
def test_a_misnamed_module_gets_the_right_name(freezer: str, lab: Lab, tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(PROGRAM)
    (tmp_path / "pyproject.toml").write_text("[tool.rustext]\nleave-plan = true\n")
    python = lab.environment(*REQUIREMENTS, rustext=True)
    misname(python)
    unfrozen = subprocess.run([python, script], capture_output=True, text=True, check=False)
    assert "No module named 'rpds.rpds'" in unfrozen.stderr
    frozen = lab.freeze(freezer, script, *REQUIREMENTS, out=tmp_path, rustext=True)
    ended = frozen.run(hide=[tmp_path])
    assert (ended.code, ended.stdout, ended.stderr) == (0, "['a', 'b']\n", "")
    bundle = read_bundle(frozen.bundle)
    plan = find_plan(bundle)
    assert plan is not None
    assert verify(read_subject(bundle, stdlib=stdlib_environment(), plan=plan)).ok
