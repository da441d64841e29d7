"""What the command line says of itself, and the options that all commands share."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from compiling import Compile

from rustext.api import verify
from rustext.cli.arguments import make_parser, parse_arguments
from rustext.cli.arguments.commands import COMMANDS
from rustext.cli.arguments.options import OPTIONS
from rustext.cli.main import run
from rustext.config import parse_config
from rustext.report.console import Console
from rustext.report.rules import RULES, help_uri
from rustext.report.verify_text import print_verify

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[3]
NAMES = [command.name for command in COMMANDS]
Capture = pytest.CaptureFixture[str]


def help_of(words: list[str], capfd: Capture) -> str:
    with pytest.raises(SystemExit) as left:
        parse_arguments(words)
    assert left.value.code == 0
    return capfd.readouterr().out


@pytest.fixture
def bundle(tmp_path: Path, gcc: Compile, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle with one error, in the current folder."""
    gone = gcc("libgone.so", "int g(void) { return 0; }", "-shared", "-fPIC",
               "-Wl,-soname,libgone.so.1")  # fmt: skip
    program = gcc("bad", "int g(void); int main(void) { return g(); }", str(gone))
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "app").write_bytes(program.read_bytes())
    (tmp_path / "app" / "app").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "app"


# --- help -------------------------------------------------------------------------------------


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    command = (
        f"cd gone; rmdir ../gone; {shlex.quote(sys.executable)} -m rustext verify /usr/bin/env"
    )
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the current folder is gone\n")


def test_a_limit_of_memory_is_no_fault_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.setattr("rustext.cli.scan_command.scan", lambda *_: bytes(1 << 60))
    assert run(["scan", str(tmp_path)]) == 2
    assert "memory" in capfd.readouterr().err


@pytest.mark.parametrize("columns", ["1", "2", "9"])
def test_help_is_shown_on_the_narrowest_terminal(columns: str) -> None:
    command = [sys.executable, "-m", "rustext", "help", "verify"]
    env = {**os.environ, "COLUMNS": columns}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--json" in done.stdout


@pytest.mark.parametrize(
    "command",
    [["verify", ""], ["scan", ""], ["plan", ""], ["verify", "x", "-o", ""], ["repair", ""],
     ["scan", "--python", ""], ["verify", "x", "-q", ""]],
)  # fmt: skip
def test_a_variable_that_is_not_set_names_no_path(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        run(command)
    assert ended.value.code == 2
    assert capfd.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("text", ["./python3", "here/python3", "python3"])
def test_only_a_bare_word_is_an_interpreter_on_path(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = "python3" if text == "python3" else str(tmp_path / text)
    found = parse_arguments(["repair", "app", "--environment", text]).environment
    assert str(found) == expected
    assert str(parse_arguments(["scan", "--python", text]).python) == expected


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("command", ["", *NAMES])
def test_help_fits_the_terminal_and_breaks_no_word(
    command: str, columns: int, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    whole = set(help_of([*command.split(), "--help"], capfd).split())
    monkeypatch.setenv("COLUMNS", str(columns))
    text = help_of([*command.split(), "--help"], capfd)
    example = text.partition("example:\n")[2].partition("\n\n")[0]  # is there to be copied
    for line in text.replace(example, "").splitlines():
        assert len(line) <= columns or len(line.split()) == 1, line
    assert set(text.split()) == whole


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_shows_an_example_that_is_accepted_and_the_exit_codes(
    command: object, capfd: Capture
) -> None:
    (found,) = [one for one in COMMANDS if one is command]
    text = help_of(["help", found.name], capfd)
    assert f"example:\n  {found.example}\n" in text
    assert "exit codes:\n  " in text
    for words in re.findall(r"(?:^|\()rustext ([^)]*)", found.example):
        assert parse_arguments(shlex.split(words)).command == found.runs


def test_no_option_is_written_twice_or_in_vain() -> None:
    used = [key for c in COMMANDS for key in (*c.options, *c.common, *c.exclusive)]
    assert set(used) == set(OPTIONS)
    texts = [option.settings["help"] for option in OPTIONS.values()]
    assert len(texts) == len(set(texts))


# --- options of all commands ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "verbose", "quiet"),
    [("", 0, 0), ("-v", 1, 0), ("-vv", 2, 0), ("-q -q", 0, 2), ("-vqv", 1, 0), ("-q -v", 0, 0)],
)
def test_quiet_and_verbose_add_up(words: str, verbose: int, quiet: int) -> None:
    parsed = parse_arguments(["scan", *words.split()])
    assert (parsed.verbose, parsed.quiet) == (verbose, quiet)


def test_twice_quiet_leaves_the_exit_code(bundle: Path, capfd: Capture) -> None:
    assert run(["verify", "app", "-qq"]) == 1
    assert capfd.readouterr() == ("", "")
    assert run(["verify", "app", "-qq", "--json"]) == 1
    assert json.loads(capfd.readouterr().out)["ok"] is False
    assert run(["verify", "missing", "-qq"]) == 2
    assert capfd.readouterr().err.startswith("error: ")


@pytest.mark.parametrize(
    ("when", "env", "styled"),
    [
        ("always", {"NO_COLOR": "1"}, True), ("never", {"FORCE_COLOR": "1"}, False),
        ("auto", {"FORCE_COLOR": "1"}, True), ("auto", {}, False),
    ],
)  # fmt: skip
def test_the_option_decides_on_colours_before_the_environment(
    when: str, env: dict[str, str], styled: bool, bundle: Path
) -> None:
    plain = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR"}}
    done = subprocess.run(
        [sys.executable, "-m", "rustext", "verify", "app", "--color", when],
        env={**plain, **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert ("\x1b[" in done.stdout) is styled


def test_words_for_the_program_follow_two_dashes() -> None:
    for command in ("verify", "repair"):
        parsed = parse_arguments([command, "app", "--run", "--", "--json", "file"])
        assert parsed.arguments == ["--json", "file"]
        assert not parsed.json


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--json scan", "`--json` comes before the command"), ("scan -j 0", "`0` is no number"),
        ("scan -j many", "`many` is no number"), ("scan -j 9999", "`9999` is no number"),
        ("verify app --timeout nan", "`nan` is no number"), ("verify", "required: BUNDLE"),
        ("repair app --timeout -1", "`-1` is no number"), ("inspect no.whl", "does not exist"),
    ],
)  # fmt: skip
def test_a_wrong_word_gets_one_line_and_a_hint_to_be_followed(
    words: str, said: str, capfd: Capture
) -> None:
    with pytest.raises(SystemExit) as left:  # as the program itself ends
        sys.exit(run(words.split()))
    assert left.value.code == 2
    err = capfd.readouterr().err
    assert re.fullmatch(r"error: [^\n]+\nhint: [^\n]+\n", err)
    assert said in err
    for call in re.findall("`rustext ([^`]*--help)`", err):
        assert help_of(call.split(), capfd).startswith("usage: rustext ")


# --- the configuration ------------------------------------------------------------------------


def test_another_configuration_counts_in_place_of_the_nearest(bundle: Path) -> None:
    Path("pyproject.toml").write_text("[tool.rustext]\nignore = ['run']\n")
    Path("other.toml").write_text("[tool.rustext]\nignore = ['missing-library']\n")
    assert run(["verify", "app"]) == 1
    assert run(["verify", "app", "--config", "other.toml"]) == 0
    assert run(["verify", "app", "--config", "none.toml"]) == 2


@pytest.mark.parametrize("where", ["pyproject.toml", "other.toml"])
def test_the_configuration_that_counts_is_shown_as_it_is_read(
    where: str, bundle: Path, capfd: Capture
) -> None:
    table = '[tool.rustext]\ntarget = "manylinux_2_28_x86_64"\nignore = ["run:a\\"b*"]\n'
    Path(where).write_text(f"{table}include = ['json']\n[tool.rustext.per-path-ignores]\n"
                           "'*.so' = ['signature']\n")  # fmt: skip
    options = [] if where == "pyproject.toml" else ["--config", where]
    assert run(["doctor", "--show-config", *options]) == 0
    text = capfd.readouterr().out
    assert text.startswith("# ")
    assert text.splitlines()[0].endswith(where)
    shown = parse_config(tomllib.loads(text)["tool"]["rustext"], "what is shown")
    read = parse_config(tomllib.loads(Path(where).read_text())["tool"]["rustext"], "the file")
    assert shown == read
    assert run(["doctor", "--show-config", "--json"]) == 2


def test_a_terminal_links_each_finding_to_its_page_and_nothing_else_does(bundle: Path) -> None:
    out = io.StringIO()
    report = verify("app")
    print_verify(Console(stream=out, width=60, styled=True), report)
    links = re.findall("\x1b]8;;(.+?)\x1b\\\\(.*?)\x1b]8;;\x1b\\\\", out.getvalue())
    assert {address for address, _ in links} == {help_uri(f.id) for f in report.findings}
    assert {re.sub("\x1b.*?m", "", text) for _, text in links} >= {"error[missing-library]"}
    for console in (Console(stream=out, styled=True), Console(stream=out, width=60)):
        out.truncate(0)
        print_verify(console, report)
        assert "\x1b]" not in out.getvalue()


# --- explain ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(RULES))
def test_explain_prints_the_page_of_the_documentation(name: str, capfd: Capture) -> None:
    page = (ROOT / "docs" / "findings" / f"{name}.md").read_text(encoding="utf-8")
    assert run(["explain", name]) == 0
    text = capfd.readouterr().out
    assert text.endswith(f"{help_uri(name)}\n")
    assert not re.search(r"^```|^#|\]\(", text, re.MULTILINE)
    words = re.findall(r"[\w-]{3,}", re.sub(r"\]\([^)]*\)|```\w*", "", page))
    assert [word for word in words if word not in text and set(word) != {"-"}] == []
    assert run(["explain", name, "--json"]) == 0
    (found,) = json.loads(capfd.readouterr().out)["findings"]
    assert (found["page"], found["meaning"]) == (page, RULES[name])


def test_explain_lists_all_and_knows_what_was_meant(capfd: Capture) -> None:
    assert run(["explain"]) == 0
    rows = capfd.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == sorted(RULES)
    with pytest.raises(SystemExit) as left:
        run(["explain", "missing-libary"])
    assert left.value.code == 2
    assert "did you mean `missing-library`?" in capfd.readouterr().err


# --- completion -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], set[str]]:
    """What bash itself offers for the last word of a line."""
    script = tmp_path_factory.mktemp("bash") / "rustext.bash"
    command = [sys.executable, "-m", "rustext", "completion", "bash"]
    script.write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    def ask(line: str) -> set[str]:
        words = shlex.split(line) + ([""] if line.endswith(" ") else [])
        text = f"""
            source {script}
            COMP_WORDS=({" ".join(map(shlex.quote, words))})
            COMP_CWORD={len(words) - 1}
            $(complete -p rustext | grep -o '_shtab[a-z_]*')
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)
        return set(done.stdout.split())

    return ask


def test_a_shell_completes_commands_options_and_values(
    complete: Callable[[str], set[str]],
) -> None:
    assert complete("rustext ") >= set(make_parser().commands)
    assert complete("rustext verify --fa") == {"--fail-on"}
    assert complete("rustext verify app --fail-on ") == {"error", "warning", "note", "never"}
    assert complete("rustext explain missing-") == {n for n in RULES if n.startswith("missing-")}


# --- the environment --------------------------------------------------------------------------


def test_a_variable_counts_for_less_than_the_command_line(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.setenv("RUSTEXT_FAIL_ON", "never")
    monkeypatch.setenv("RUSTEXT_FORMAT", "github")
    assert run(["verify", "app"]) == 0
    assert capfd.readouterr().out.startswith("::error title=rustext")
    assert run(["verify", "app", "--fail-on", "error", "--format", "text"]) == 1
    assert capfd.readouterr().out.startswith("error[missing-library]")
    assert run(["verify", "app", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["ok"] is False
    assert run(["verify", "app", "-o", "r.html"]) == 0
    assert Path("r.html").read_text().startswith("<!DOCTYPE html>")
    assert run(["explain"]) == 0  # an option that the command does not have


@pytest.mark.parametrize(
    ("name", "value", "command", "said"),
    [
        ("RUSTEXT_FORMAT", "sarf", "verify", "RUSTEXT_FORMAT is `sarf`"),
        ("RUSTEXT_FORMAT", "junitt", "scan", "RUSTEXT_FORMAT is `junitt`"),
        ("RUSTEXT_TIMEOUT", "-1", "verify", "RUSTEXT_TIMEOUT: `-1` is no number of seconds"),
        ("RUSTEXT_JOBS", "many", "scan", "RUSTEXT_JOBS: `many` is no number of processes"),
        ("RUSTEXT_NO_CACHE", "yes", "scan", "RUSTEXT_NO_CACHE is `yes`"),
    ],
)
def test_a_bad_value_of_a_variable_is_said_by_its_name(
    name: str, value: str, command: str, said: str, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as left:
        run([command, "app"])
    assert left.value.code == 2
    assert said in capfd.readouterr().err


def test_a_variable_with_a_format_of_other_commands_is_none_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    assert run(["scan", str(tmp_path)]) == 0
    plain = capfd.readouterr().out
    for value in ("github", "dot"):
        monkeypatch.setenv("RUSTEXT_FORMAT", value)
        assert run(["scan", str(tmp_path)]) == 0
        assert capfd.readouterr().out == plain


def test_clean_removes_what_is_stored_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert run(["clean"]) == 0
    assert "removed 0 files" in capfd.readouterr().out
    assert run(["scan", "--python", sys.executable, "-qq"]) == 0
    home, elsewhere = tmp_path / "cache" / "rustext", tmp_path / "elsewhere"
    stored = [path for path in home.rglob("*") if path.is_file()]
    assert stored
    elsewhere.mkdir()
    for folder in (elsewhere, home, home / "scan", home / "mine"):
        folder.mkdir(exist_ok=True)
        (folder / "notes.txt").write_text("mine")
    (elsewhere / stored[0].name).write_text("mine")
    (home / "linked").symlink_to(elsewhere)
    capfd.readouterr()
    assert run(["clean", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["files"] == len(stored)
    assert not any(path.exists() for path in stored)
    assert len(list(tmp_path.rglob("notes.txt"))) == 4
    assert (elsewhere / stored[0].name).exists()


def test_completion_without_shtab_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert run(["completion", "bash"]) == 2
    assert "pip install 'rustext[completion]'" in capfd.readouterr().err


def test_no_command_at_all_is_answered_with_the_help(capfd: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        run([])
    assert ended.value.code == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "verify       prove that a bundle stands alone" in err


@pytest.mark.parametrize("command", ["verify", "repair"])
def test_words_for_a_program_that_is_not_started_are_refused(command: str, capfd: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        run([command, "app", "--", "--check"])
    assert ended.value.code == 2
    assert "hint: add --run" in capfd.readouterr().err
    assert parse_arguments([command, "app", "--"]).arguments == []


@pytest.mark.parametrize("command", ["verify", "scan"])
def test_patterns_are_expanded_where_the_shell_does_not(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b", "a", "x[1]", "x1"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    words = [command, "[ab]", "no*", "x[1]"]
    given = [Path(word) for word in words[1:]]
    for system, expected in (
        ("linux", given),
        ("win32", [Path("a"), Path("b"), Path("no*"), Path("x[1]")]),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "platform", system)
            parsed = vars(parse_arguments(words))
        assert parsed["bundles" if command == "verify" else "paths"] == expected
