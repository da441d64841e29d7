"""A gate for Python code: black and isort as libraries, mypy's API on a small tree, ruff started as a module with sys.executable."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import black
import isort
from mypy import api

FILES = {
    "shop/__init__.py": "",
    "shop/prices.py": "import sys\nimport os\nfrom decimal import Decimal\nimport json\ndef total( xs:list[Decimal] )->Decimal:\n  return sum(xs,Decimal( '0'))\n",
    "shop/main.py": "from shop.prices import total\nx: int = total([])\nprint(x)\n",
}


def write(root):
    for name, text in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)


def pretty(text):
    mode = black.Mode(line_length=88, target_versions={black.TargetVersion.PY311}, string_normalization=True)
    ordered = isort.code(text, config=isort.Config(profile="black"))
    return black.format_str(ordered, mode=mode)


def ruff(root, *args):
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--output-format", "json", *args, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    if done.returncode not in (0, 1):
        raise RuntimeError(f"ruff: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def main():
    with tempfile.TemporaryDirectory() as t:
        t = Path(t)
        write(t)
        before = (t / "shop/prices.py").read_text()
        after = pretty(before)
        (t / "shop/prices.py").write_text(after)
        assert 'Decimal("0")' in after and after.index("import json") < after.index("import sys"), after
        try:
            black.format_str("def f(:\n", mode=black.Mode())
            broken = None
        except black.InvalidInput as e:
            broken = str(e).split(":")[0]
        cwd = os.getcwd()
        os.chdir(t)
        out, err, code = api.run(["--strict", "--cache-dir", str(t / ".mypy"), "--no-error-summary", "shop"])
        os.chdir(cwd)
        codes = sorted(line.rsplit("[", 1)[-1].rstrip("]") for line in out.splitlines())
        found = sorted({v["code"] for v in ruff(t, "--select", "F,I")})
    assert not err, err
    print("OK", broken, code, codes, found)


if __name__ == "__main__":
    main()
