"""The GitHub action and the hooks for pre-commit, by the commands that their services would run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from lab import uv

ROOT = Path(__file__).resolve().parent.parent.parent
ACTION = ROOT / "action.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
pytestmark = pytest.mark.network
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a bundle that lacks a library, and one that does not."""
    folder = tmp_path / "a project"
    (folder / "dist/good app").mkdir(parents=True)
    (folder / "dist/bad").mkdir()
    compile_ = ["gcc", "-x", "c", "-"]
    empty, program = "", "int main(void) { return 0; }"
    for words, source in (
        (["-shared", "-o", "libgone.so", "-Wl,-soname,libgone.so.1"], empty),
        (["-o", "dist/bad/bad", "-Wl,--no-as-needed"], program),
        (["-o", "dist/good app/good"], program),
    ):
        own = ["./libgone.so"] if "dist/bad/bad" in words else []
        subprocess.run([*compile_, *words, "-x", "none", *own], input=source, text=True,
                       cwd=folder, check=True)  # fmt: skip
    (folder / "pyproject.toml").write_text("[tool.rustext]\n")
    (folder / ".gitignore").write_text("dist\n*.so\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    return folder


# --- GitHub -----------------------------------------------------------------------------------


@pytest.fixture
def run_action(project: Path, tmp_path: Path) -> Run:
    """Run the steps of the action as a runner does: inputs come in as variables, bash fails fast.

    https://docs.github.com/actions/reference/workflows-and-actions/metadata-syntax
    """
    steps = yaml.safe_load(ACTION.read_text())["runs"]["steps"]

    def run(**inputs: str) -> subprocess.CompletedProcess[str]:
        values = {"github.action_path": str(ROOT), "inputs.arguments": ""}
        values |= {f"inputs.{name}": value for name, value in inputs.items()}
        for step in steps:
            assert "${{" not in step["run"]  # a value in the text of a script could be a command
            own = {
                name: re.sub(r"\$\{\{ (.*?) \}\}", lambda match: values[match[1]], text)
                for name, text in step["env"].items()
            }
            temporary = {"RUNNER_TEMP": str(tmp_path), "GITHUB_STEP_SUMMARY": f"{tmp_path}/sum.md"}
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=project, env={**os.environ, **own, **temporary}, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            if done.returncode:
                break
        return done

    return run


def test_the_action_fails_with_annotations_and_writes_a_summary(
    run_action: Run, tmp_path: Path
) -> None:
    done = run_action(bundle="dist/*")
    assert done.returncode == 1, done.stderr
    assert "::error title=rustext%3A missing-library in bad::" in done.stdout
    summary = (tmp_path / "sum.md").read_text()
    assert re.findall("^## (.*)", summary, re.MULTILINE) == [
        "bad does not stand alone",
        "good app shows no fault",
    ]
    done = run_action(bundle="dist/bad", arguments="--ignore missing-library --run")
    assert done.returncode == 1, done.stderr
    assert "::error title=rustext%3A run in bad::" in done.stdout
    done = run_action(bundle="dist/good*", arguments="--run -- a word")
    assert (done.returncode, done.stdout) == (0, "")
    done = run_action(bundle="dist/bad", arguments="--ignore missing-library")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_action_fits_the_schema_of_its_service() -> None:
    uv("tool", "run", "check-jsonschema", "--builtin-schema", "vendor.github-actions", str(ACTION))


# --- pre-commit -------------------------------------------------------------------------------


@pytest.fixture
def try_hook(project: Path, cache: Path) -> Run:
    """`pre-commit try-repo` of a copy of this source that has no history."""
    source = project.parent / "source"
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True,
                            capture_output=True, check=True).stdout  # fmt: skip
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], cwd=source, check=True)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-m",
            "uv",
            "tool",
            "run",
            "pre-commit",
            "try-repo",
            str(source),
            *words,
        ]
        env = {**os.environ, "PRE_COMMIT_HOME": str(cache / "pre-commit")}
        return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True,
                              check=False)  # fmt: skip

    return run


def test_the_hooks_are_a_valid_manifest() -> None:
    uv("tool", "run", "pre-commit", "validate-manifest", str(HOOKS))


def test_the_hooks_pass_and_fail_as_they_should(try_hook: Run, project: Path) -> None:
    done = try_hook("rustext-config", "--all-files")
    assert done.returncode == 0, done.stdout + done.stderr
    (project / "pyproject.toml").write_text("[tool.rustext]\nincldue = []\n")
    done = try_hook("rustext-config", "--all-files")
    assert done.returncode == 1
    assert "did you mean `include`?" in done.stdout
