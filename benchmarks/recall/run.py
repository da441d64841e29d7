"""Compare what native code was seen to import with what rustext reads out of the binaries.

Usage: python benchmarks/recall/run.py APPS [NAME ...] [--work DIR] [--python PATH]

APPS is a folder of programs (`main.py`, `requirements.txt`). Each gets a virtual environment below
DIR (default: .cache/recall), is run once as it is and once with the recorder, and is then judged.
What is already there is not done again: the run can be stopped and taken up at any time. Another
state of rustext judges anew; the environments and records stay. Prints Markdown: the totals, and a
row for each program. Exit code 1 if an import was missed. Needs a network for the first run, and
uses uv where it is installed.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from closure import Closure, Import

import rustext
from rustext.config import Config
from rustext.discovery.module_names import importer_name
from rustext.discovery.native_files import environment_source, iter_native_files
from rustext.environment.environment import Environment, read_environment
from rustext.model.plan import ExtensionPlan, Verdict
from rustext.plan.planner import Planner
from rustext.tracing.recording import record
from rustext.tracing.trace_file import Importer, Language, Trace, format_trace, read_trace

ROOT = Path(__file__).resolve().parent.parent.parent
TIMEOUT = 300  # seconds a program may run
# Prints the modules that are loaded when the program ends; nothing is imported for that.
LOADED = """
import runpy, sys
out = open(sys.argv[1], "w")
script = sys.argv[2]
sys.argv = [script]
sys.path[0] = script.rpartition("/")[0]
try:
    runpy.run_path(script, run_name="__main__")
finally:
    out.write("\\n".join(sorted(sys.modules)))
    out.close()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One program: what was seen, what was found, and what it costs."""

    name: str
    seen: int  # (extension, module) pairs, the module importable
    missed: tuple[str, ...]
    included: int  # modules by the extensions that ask for them
    extra: dict[str, tuple[str, ...]]  # by extension: included, not in the bundle anyway, unused
    added_bytes: int  # all that the unused modules bring along
    bundle_bytes: int
    problem: str | None = None  # why the program could not be judged


def main() -> int:
    args = parse_args()
    work: Path = args.work.resolve()
    parsed: dict[tuple[int, int], tuple[Import, ...]] = {}
    results = []
    for app in sorted(p.parent for p in args.apps.resolve().glob("*/main.py")):
        if args.names and app.name not in args.names:
            continue
        folder = work / app.name
        folder.mkdir(parents=True, exist_ok=True)
        result = judge_once(app, folder, args, parsed)
        print(row(result), file=sys.stderr, flush=True)
        results.append(result)
    print("\n".join(iter_report(results)))
    return int(any(r.missed for r in results) or not results)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="see the file's docstring")
    parser.add_argument("apps", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "recall")
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    return parser.parse_args()


def judge_once(
    app: Path,
    folder: Path,
    args: argparse.Namespace,
    parsed: dict[tuple[int, int], tuple[Import, ...]],
) -> Result:
    kept = folder / f"judgement-{state_of_rustext()}.json"
    if kept.is_file():
        return Result(**json.loads(kept.read_text()))
    try:
        python = make_environment(app, folder, args.python)
        try:
            observe(app, folder, python)
        except subprocess.CalledProcessError:  # needs more than what is pinned
            python = make_environment(app, folder, args.python, complete=True)
            observe(app, folder, python)
        result = judge(app, folder, read_environment(python), parsed)
    except (subprocess.SubprocessError, OSError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        result = Result(
            name=app.name, seen=0, missed=(), included=0, extra={}, added_bytes=0, bundle_bytes=0,
            problem=str(reason).strip().splitlines()[-1],
        )  # fmt: skip
    kept.write_text(json.dumps(asdict(result), indent=1))
    return result


@functools.cache
def state_of_rustext() -> str:
    """A name for its source and data: what one state has judged says nothing of another."""
    package = Path(rustext.__file__).parent
    files = sorted(p for p in package.rglob("*") if p.suffix in {".py", ".toml"})
    return hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()[:16]


# --- the programs -----------------------------------------------------------------------------


def make_environment(app: Path, folder: Path, base: Path, *, complete: bool = False) -> Path:
    """The interpreter of the program's environment: what is pinned, or all that it requires."""
    env, ready = folder / "env", folder / ("complete" if complete else "ready")
    python = env / "bin" / "python"
    if ready.is_file():
        return python
    wanted = ["-r", str(app / "requirements.txt"), *([] if complete else ["--no-deps"])]
    uv = shutil.which("uv")
    if uv is not None:
        run([uv, "-q", "venv", "--clear", "--python", str(base), str(env)])
        run([uv, "-q", "pip", "install", "--python", str(python), *wanted])
    else:
        run([str(base), "-m", "venv", "--clear", str(env)])
        run([str(python), "-m", "pip", "-q", "install", *wanted])
    ready.touch()
    return python


def observe(app: Path, folder: Path, python: Path) -> None:
    """Run the program twice: for the modules that it loads, and for what native code imports."""
    loaded, trace = folder / "loaded.txt", folder / "trace.toml"
    scratch = folder / "scratch"  # some programs write files
    scratch.mkdir(exist_ok=True)
    script = str(app / "main.py")
    if not loaded.is_file():
        run([str(python), "-c", LOADED, str(loaded), script], cwd=scratch)
    if not trace.is_file():
        with record(os.environ) as recording:
            run([str(python), script], cwd=scratch, env=recording.variables)
            trace.write_text(format_trace(recording.read()))


def run(command: list[str], **options: object) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT, **options)


# --- the judgement ----------------------------------------------------------------------------


def judge(
    app: Path, folder: Path, env: Environment, parsed: dict[tuple[int, int], tuple[Import, ...]]
) -> Result:
    truth = read_trace(folder / "trace.toml")
    loaded = set((folder / "loaded.txt").read_text().split())
    plans = {importer_name(p.file.path): p for p in iter_plans(env, truth, loaded)}
    closure = Closure(env, parsed)
    anyway = closure.of_program(app / "main.py") | closure.of_modules(loaded)
    included = {
        name: [i.module for i in p.modules(Verdict.INCLUDE)] for name, p in sorted(plans.items())
    }
    extra = {n: tuple(m for m in names if m not in anyway) for n, names in included.items()}
    added = closure.of_modules({m for names in extra.values() for m in names}) - anyway
    pairs = [(i, m) for i in rust_importers(truth) for m in i.imports if counts(i, m, env)]
    missed = tuple(f"{i.name}: {m}" for i, m in pairs if m not in found_by(plans.get(i.name)))
    return Result(
        name=app.name,
        seen=len(pairs),
        missed=missed,
        included=sum(map(len, included.values())),
        extra=extra,
        added_bytes=closure.size(added),
        bundle_bytes=closure.size(anyway) + interpreter_size(env),
    )


def interpreter_size(env: Environment) -> int:
    """The bytes of libpython, which each bundle holds."""
    prefix = Path(env.interpreter.prefixes[-1])
    return max((p.stat().st_size for p in prefix.glob("lib/libpython3.*.so.*")), default=0)


def iter_plans(env: Environment, truth: Trace, loaded: set[str]) -> Iterator[ExtensionPlan]:
    """The plans of the Rust files that the program has loaded."""
    planner = Planner(env, Config())
    importers = {i.name for i in truth.importers}
    sources = (environment_source(env, site) for site in env.sites)
    for path, file in itertools.chain.from_iterable(map(iter_native_files, sources)):
        if file.provenance.rust and (
            file.module in loaded or importer_name(file.path) in importers
        ):
            yield planner.plan_file(path, file)


def rust_importers(truth: Trace) -> Iterable[Importer]:
    return (i for i in truth.importers if i.language is Language.RUST)


def counts(importer: Importer, module: str, env: Environment) -> bool:
    return module != importer.name and env.find_module(module) is not None


def found_by(plan: ExtensionPlan | None) -> set[str]:
    if plan is None:
        return set()
    return {i.module for i in plan.imports if i.verdict is not Verdict.REPORT}


# --- the report -------------------------------------------------------------------------------


def iter_report(results: Sequence[Result]) -> Iterator[str]:
    """The totals, and a row for each program."""
    judged = [r for r in results if r.problem is None]
    seen, missed = sum(r.seen for r in judged), sum(len(r.missed) for r in judged)
    included, unused = (
        sum(r.included for r in judged),
        [len(n) for r in judged for n in r.extra.values()],
    )
    shares = [share(r) for r in judged]
    yield "| | |\n|---|---|"
    yield f"| programs judged | {len(judged)} of {len(results)} |"
    yield f"| recall: native imports found | {seen - missed} of {seen} |"
    if included and shares:
        used, middle = included - sum(unused), statistics.median(unused)
        part = f"{used} of {included} ({used / included:.1%})"
        yield f"| precision: included modules that the program uses | {part} |"
        yield f"| unused modules an extension | median {middle:g}, most {max(unused)} |"
        part = f"median {statistics.median(shares):.2%}, most {max(shares):.2%}"
        yield f"| share of the bundle | {part} |"
        yield f"| programs with a share above 1 % | {sum(s > 0.01 for s in shares)} |"
    yield "\n| program | found | unused | share | missed |\n|---|---|---:|---:|---|"
    yield from map(row, results)


def share(result: Result) -> float:
    return result.added_bytes / result.bundle_bytes if result.bundle_bytes else 0.0


def row(result: Result) -> str:
    if result.problem is not None:
        return f"| {result.name} | not judged | | | `{result.problem}` |"
    found = result.seen - len(result.missed)
    unused = max(map(len, result.extra.values()), default=0)
    missed = ", ".join(f"`{m}`" for m in result.missed)
    return (
        f"| {result.name} | {found} of {result.seen} | {unused} | {share(result):.2%} | {missed} |"
    )


if __name__ == "__main__":
    sys.exit(main())
