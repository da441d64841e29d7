"""Runs lesson notebooks with parameters, grades the students' answers and compares them."""
import contextlib
import io
import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path

import nbformat
import papermill as pm
import pytest
from nbdime import diff_notebooks, merge_notebooks, patch
from nbdime.prettyprint import PrettyPrintConfig, pretty_print_notebook_diff
from papermill.engines import NBClientEngine, papermill_engines
from papermill.iorw import papermill_io
from papermill.translators import PythonTranslator, papermill_translators
from testbook import testbook

from grading.plugin import GradePlugin

BASE = Path(__file__).resolve().parent
NOTEBOOKS = BASE / "notebooks"
warnings.filterwarnings("ignore")


class MemoryHandler:
    """papermill reads and writes mem:// addresses through this."""
    store: dict[str, str] = {}

    def read(self, path):
        return self.store[path]

    def write(self, text, path):
        self.store[path] = text

    def listdir(self, path):
        return sorted(k for k in self.store if k.startswith(path))

    def pretty_path(self, path):
        return path


class CountingEngine(NBClientEngine):
    cells = 0

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **kwargs):
        cls.cells += len(nb_man.nb.cells)
        return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)


class QuietTranslator(PythonTranslator):
    @classmethod
    def comment(cls, cmt_str):
        return f"# [lesson] {cmt_str}"


def run_lessons():
    papermill_io.register("mem://", MemoryHandler())
    papermill_engines.register("counting", CountingEngine)
    papermill_translators.register("python", QuietTranslator)
    source = str(NOTEBOOKS / "exercise.ipynb")
    for name, spec in pm.inspect_notebook(source).items():
        print(f"parameter {name}: {spec['inferred_type_name']} = {spec['default']} ({spec['help']})")
    results = {}
    for seed, label in ((1, "first"), (4, "second")):
        target = f"mem://{label}.ipynb"
        pm.execute_notebook(source, target, parameters={"seed": seed, "label": label, "size": 6}, engine_name="counting",
                            kernel_name="python3", progress_bar=False, log_output=False)
        nb = nbformat.reads(MemoryHandler.store[target], as_version=4)
        nbformat.validate(nb)
        injected = next(c for c in nb.cells if "injected-parameters" in c.metadata.get("tags", []))
        payload = [o["data"]["application/json"] for c in nb.cells if c.cell_type == "code" for o in c.outputs
                   if o.output_type == "display_data"]
        text = "".join(o.get("text", "") for c in nb.cells if c.cell_type == "code" for o in c.outputs)
        print(injected.source.splitlines()[0], "|", text.strip(), "|", {k: round(v, 3) for k, v in payload[0].items()})
        results[label] = nb
    try:
        pm.execute_notebook(source, "mem://bad.ipynb", parameters={"size": 0}, engine_name="counting", progress_bar=False)
    except pm.PapermillExecutionError as exc:
        print("failed lesson:", exc.ename, "in cell", exc.exec_count)
    return results


def load_answer(path: Path):
    nb = nbformat.read(path, as_version=4)
    namespace = {}
    for cell in nb.cells:
        if "answer" in cell.metadata.get("tags", []):
            exec(compile(cell.source, path.name, "exec"), namespace)
    return namespace["median"]


def grade(student: str, work: Path):
    plugin = GradePlugin(student, load_answer(NOTEBOOKS / f"answer_{student}.ipynb"))
    copy = work / student
    shutil.copytree(BASE / "grading", copy / "grading")
    shutil.copytree(BASE / "features", copy / "features")
    report, page = work / f"{student}.json", work / f"{student}.html"
    with contextlib.redirect_stdout(io.StringIO()):
        code = pytest.main([str(copy / "grading" / "test_median.py"), "-q", "-p", "no:cacheprovider", f"--rootdir={copy}",
                            "--json-report", f"--json-report-file={report}", f"--html={page}", "--self-contained-html",
                            "--tb=short", "--import-mode=importlib"], plugins=[plugin])
    summary = json.loads(report.read_text())["summary"]
    print(f"student {student}: exit {int(code)}, {summary.get('passed', 0)} of {summary['total']}, score {plugin.grade.score},"
          f" {plugin.grade.steps} steps, html {'Summary' in page.read_text()}")
    for name in sorted(plugin.grade.failed):
        print("  failed", name)
    return plugin.grade


def compare(work: Path):
    a, b = (nbformat.read(NOTEBOOKS / f"answer_{s}.ipynb", as_version=4) for s in "ab")
    changes = diff_notebooks(a, b)
    assert patch(a, changes) == b
    out = io.StringIO()
    pretty_print_notebook_diff("a.ipynb", "b.ipynb", a, changes, PrettyPrintConfig(out=out, use_color=False, use_git=False))
    removed = [line for line in out.getvalue().splitlines() if line.startswith("- ")]
    mine = nbformat.from_dict(json.loads(json.dumps(a)))
    mine.cells[0].source = "# Solution (corrected)"
    merged, decisions = merge_notebooks(a, mine, a)
    print("diff:", [d["key"] for d in changes], len(removed), "lines gone; merged:", merged.cells[0].source,
          "conflicts", sum(d.conflict for d in decisions))


def main():
    with tempfile.TemporaryDirectory() as tmp:
        work = Path(tmp)
        os.environ.update(IPYTHONDIR=f"{tmp}/ipython", JUPYTER_RUNTIME_DIR=f"{tmp}/runtime")
        lessons = run_lessons()
        grades = [grade(student, work) for student in "ab"]
        compare(work)
        with testbook(str(NOTEBOOKS / "answer_a.ipynb"), execute=True) as tb:
            median = tb.ref("median")
            print("in the kernel:", median([8, 6, 7, 1]), tb.cell_output_text(2))
            tb.inject("extra = [median([k, k + 2]) for k in range(3)]")
            print("injected:", tb.get("extra"))
        print("engine saw", CountingEngine.cells, "cells; stored", papermill_io.listdir("mem://"))
    print(f"OK {len(lessons)} lessons, best score {max(g.score for g in grades)}, worst {min(g.score for g in grades)}")


if __name__ == "__main__":
    main()
