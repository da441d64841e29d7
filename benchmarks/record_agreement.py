"""What a record leaves out of what Python, the kernel and the loader saw in the same run.

Usage: python benchmarks/record_agreement.py APPS ENVIRONMENTS [NAME]... [-o FILE]

APPS/NAME/main.py runs once with ENVIRONMENTS/NAME/bin/python while it is recorded. Python tells
which modules it ends with (`sys.modules`), strace which files were opened, and ld.so which
libraries it has loaded (LD_DEBUG=files). Only what lies in the environment or next to the program
counts. The table says how much each witness saw, and how much of it the record lacks, by the reason
why; a thing without a reason is named and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rustext.environment.environment import Environment, read_environment
from rustext.formats.binary import is_native, read_binary
from rustext.tracing.recording import record
from rustext.tracing.trace_file import Trace
from rustext.tracing.usage import ALL, UseKind

WITNESS = """
import atexit, json, os, sys
before = set(sys.modules)
def tell():
    rows = []
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        file = getattr(module, "__file__", None)
        rows.append([name, str(getattr(spec, "name", "")), file if isinstance(file, str) else "",
                     name in before])
    with open(os.path.join({folder!r}, f"modules-{{os.getpid()}}"), "w") as out:
        json.dump(rows, out)
atexit.register(tell)
"""
OPENED = re.compile(r'open(?:at2?)?\((?:AT_FDCWD, )?"(/[^"]+)", (?:\{flags=)?([A-Z_|]+).*= \d+$')
LOADED = re.compile(r"calling init: (/.+)$")
BYTECODE = re.compile(r"__pycache__/([^/]+?)\.[^/]*\.pyc(\.\d+)?$")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One recorded run, and what the three witnesses saw of it."""

    trace: Trace
    env: Environment
    script: Path
    modules: tuple[tuple[str, str, str, bool], ...]
    opened: frozenset[Path]
    loaded: frozenset[Path]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("apps", type=Path)
    parser.add_argument("environments", type=Path)
    parser.add_argument("name", nargs="*")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    lines = ["| program | witness | saw | not in the record |", "|---|---|---:|---|"]
    unexplained = []
    for name in args.name or sorted(p.parent.name for p in args.apps.glob("*/main.py")):
        python = args.environments / name / "bin" / "python"
        run = watch(python.absolute(), args.apps.absolute() / name / "main.py")
        for witness, (seen, missing) in compare(run).items():
            reasons = Counter(reason for _, reason in missing)
            unexplained += [f"{name}: {witness}: {what}" for what, reason in missing if not reason]
            told = ", ".join(f"{n} {reason or '**unexplained**'}" for reason, n in reasons.items())
            lines.append(f"| {name} | {witness} | {seen} | {told or '0'} |")
            print(lines[-1], flush=True)
    print(*unexplained, sep="\n", file=sys.stderr)
    if args.output:
        args.output.write_text("\n".join(lines) + "\n")
    return int(bool(unexplained))


def watch(python: Path, script: Path) -> Run:
    """Run a program recorded, with Python, strace and ld.so telling what they see."""
    env = read_environment(python)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "hook").mkdir()
        (folder / "work").mkdir()
        hook = WITNESS.format(folder=str(folder))
        (folder / "hook" / "sitecustomize.py").write_text(hook)
        variables = {**os.environ, "PYTHONPATH": str(folder / "hook")}
        with record(variables, env.sites) as recording:
            strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=%file", "-s", "4096"]
            subprocess.run(
                [*strace, "-o", str(folder / "strace"), str(python), str(script)],
                check=True, capture_output=True, cwd=folder / "work", timeout=600,
                env={**recording.variables, "LD_DEBUG": "files",
                     "LD_DEBUG_OUTPUT": str(folder / "loader")},
            )  # fmt: skip
            trace = recording.read(env)
        roots = (*env.sites, script.parent)
        log = (folder / "strace").read_text(errors="surrogateescape")
        opened = (m[1] for m in map(OPENED.search, log.splitlines()) if m and is_read(m[2]))
        loader = (p.read_text(errors="surrogateescape") for p in folder.glob("loader.*"))
        loaded = (m[1] for text in loader for m in map(LOADED.search, text.splitlines()) if m)
        dumps = (json.loads(p.read_text()) for p in folder.glob("modules-*"))
        modules = {tuple(row) for rows in dumps for row in rows}
        return Run(
            trace=trace, env=env, script=script, modules=tuple(sorted(modules)),
            opened=frozenset(inside(opened, roots)), loaded=frozenset(inside(loaded, roots)),
        )  # fmt: skip


def is_read(flags: str) -> bool:
    return not {"O_DIRECTORY", "O_WRONLY", "O_RDWR", "O_PATH"} & set(flags.split("|"))


def inside(paths: Iterable[str], roots: Iterable[Path]) -> Iterator[Path]:
    for path in {Path(os.path.normpath(p)) for p in paths}:
        if any(path.is_relative_to(root) for root in roots) and path.is_file():
            yield path


def compare(run: Run) -> dict[str, tuple[int, list[tuple[str, str]]]]:
    """How much each witness saw, and what of it the record lacks, with the reason or ""."""
    names = {u.name for usage in run.trace.usages for uses in usage.uses.values() for u in uses}
    files = set(recorded_files(run, names))
    roots = (*run.env.sites,)
    installed = [
        row for row in run.modules if any(Path(row[2]).is_relative_to(r) for r in roots) and row[2]
    ]
    absent = [(row[0], why_no_module(row, names)) for row in installed if row[0] not in names]
    sources = {Path(row[2]) for row in run.modules if row[2]}
    unopened = [(str(p), why_no_file(p, run, sources)) for p in run.opened - files]
    needed = {n for p in run.loaded for n in needed_names(p)}
    unloaded = [
        (str(p), "needed by another library" if p.name in needed else "")
        for p in run.loaded - files - sources
    ]
    return {
        "sys.modules": (len(installed), absent),
        "strace": (len(run.opened), unopened),
        "ld.so": (len(run.loaded), unloaded),
    }


def recorded_files(run: Run, names: Iterable[str]) -> Iterator[Path]:
    """The files that a record's names stand for."""
    for usage in run.trace.usages:
        dist = run.env.distributions.get(usage.distribution)
        folders = run.env.sites if dist is None else (dist.site,)
        for kind, uses in usage.uses.items():
            for use in uses:
                for folder in folders:
                    inner = dist.metadata if dist and kind is UseKind.METADATA else ""
                    yield folder / inner / use.name
    for name in names:
        found = run.env.find_module(name) if "/" not in name else None
        if found is not None and found.path is not None:
            yield found.path


def needed_names(path: Path) -> Iterator[str]:
    if is_native(path):
        yield from (n.name for image in read_binary(path).images for n in image.needed)


def why_no_module(row: tuple[str, str, str, bool], names: set[str]) -> str:
    name, own_name, _, early = row
    if early:
        return "imported before the program, by a `.pth` file"
    if own_name in names and own_name != name:
        return "under another name"
    return "" if own_name else "made by code"


def why_no_file(path: Path, run: Run, sources: set[Path]) -> str:
    if path == run.script:
        return "the program itself"
    plain = Path(BYTECODE.sub(r"\1.py", str(path)))
    if plain in sources or (plain.suffix == ".py" and path.suffix == ".pyc"):
        return "code of modules"
    if path.suffix == ".pth":
        return "read by `site`"
    if path.parent.suffix in {".dist-info", ".egg-info"} and any(
        usage.distribution == ALL for usage in run.trace.usages
    ):
        return "metadata of all"
    needed = {n for p in run.loaded | run.opened if ".so" in p.suffixes for n in needed_names(p)}
    return "needed by another library" if path.name in needed else ""


if __name__ == "__main__":
    sys.exit(main())
