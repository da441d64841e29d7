"""All commands: what each is for, how it is called, and what its exit codes mean.

A command's `runs` is `module:function`; the module is imported when the command is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

from rustext.cli.arguments.options import COMMON

_GOOD = ("0", "good")
_REFUSED = ("2", "the question cannot be answered")
_FAULT = ("3", "a fault of rustext")
_PLAIN = (_GOOD, _REFUSED, _FAULT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command; `exclusive` are options of which at most one may be given."""

    name: str
    short: str
    about: str
    usage: str
    example: str
    runs: str
    options: tuple[str, ...] = ()
    common: tuple[str, ...] = COMMON
    exclusive: tuple[str, ...] = ()
    exits: tuple[tuple[str, str], ...] = _PLAIN


COMMANDS = (
    Command(
        name="scan",
        short="list the Rust extensions",
        about="List the Rust extension modules of this environment, of wheels or of a folder.",
        usage="[OPTION ...] [PATH ...]",
        example="rustext scan dist/",
        runs="rustext.cli.scan_command:scan",
        options=("path", "python", "all", "jobs", "no-cache", "format-scan", "output-report"),
    ),
    Command(
        name="inspect",
        short="everything about one extension",
        about="Show what one native file is, which libraries it needs and where the loader finds "
        "them, and which Python modules it imports, each with its evidence.",
        usage="[OPTION ...] TARGET",
        example="rustext inspect cryptography",
        runs="rustext.cli.inspect_command:inspect",
        options=(
            "what", "python", "config", "isolated", "probe", "no-cache", "tree", "format-inspect",
            "output-report",
        ),
    ),
    Command(
        name="verify",
        short="prove that a bundle stands alone",
        about="Judge finished bundles: whether their programs find, on another machine, all that "
        "they load and import.",
        usage="[OPTION ...] BUNDLE [BUNDLE ...] [-- ARGUMENT_OF_THE_PROGRAM ...]",
        example="rustext verify dist/app --run",
        runs="rustext.cli.verify_command:verify",
        options=(
            "bundles", "config", "isolated", "no-cache", "run", "alive", "selftest", "plan",
            "record-verify", "timeout", "hide", "allow-system", "target", "python-kind",
            "fix-suffix", "format-verify", "select", "ignore", "baseline", "write-baseline",
            "fail-on", "statistics", "output-reports",
        ),
        exits=(
            ("0", "no findings that count"),
            ("1", "findings that count (--fail-on)"),
            ("2", "something could not be judged"),
            _FAULT,
        ),
    ),
    Command(
        name="repair",
        short="mend what verification finds in a bundle, in a copy of it",
        about="Repair what can be repaired in a finished bundle, in a copy, and judge the copy.",
        usage="[OPTION ...] BUNDLE [-- ARGUMENT_OF_THE_PROGRAM ...]",
        example="rustext repair dist/app --dry-run",
        runs="rustext.cli.repair_command:repair",
        options=(
            "bundle", "config", "isolated", "diff", "environment", "plan", "select-ids", "run",
            "timeout", "allow-system", "format-repair", "sarif",
        ),
        exclusive=("output-repaired", "in-place", "dry-run"),
        exits=(
            ("0", "the result shows no error"),
            ("1", "errors remain"),
            ("2", "nothing can be done"),
            _FAULT,
        ),
    ),
    Command(
        name="trace",
        short="record what a run uses",
        about="Run a program or a test suite, and record the modules, files, metadata and "
        "libraries that it uses; freezers are told of them.",
        usage="[OPTION ...] -- SCRIPT [ARGUMENT ...]",
        example="rustext trace -- app.py --check",
        runs="rustext.cli.trace_command:trace",
        options=(
            "output-record", "python", "all-native", "merge", "start", "finish", "module",
            "program",
        ),
        exits=(("N", "the program's own exit code"), ("2", "nothing was recorded"), _FAULT),
    ),
    Command(
        name="record",
        short="make the project's record, by the run that it names",
        about="Run what `record` in [tool.rustext] names, and write the record of that.",
        usage="[OPTION ...]",
        example="rustext record",
        runs="rustext.cli.record_command:make_record",
        exits=(("N", "the exit code of what was run"), ("2", "nothing was recorded"), _FAULT),
    ),
    Command(
        name="plan",
        short="what a freezer would be told for one program, and why",
        about="Show what would be added to one program, with the evidence, without freezing it.",
        usage="[OPTION ...] SCRIPT",
        example="rustext plan app.py",
        runs="rustext.cli.plan_command:plan",
        options=("script", "config", "isolated", "python", "record", "format", "output-report"),
    ),
    Command(
        name="nuitka-config",
        short="write a package configuration for Nuitka",
        about="Write what is known of this environment as a package configuration for Nuitka.",
        usage="[OPTION ...] FILE",
        example="rustext nuitka-config rust.nuitka-package.config.yml",
        runs="rustext.cli.plan_command:write_config",
        options=("config-file", "config", "isolated", "python"),
    ),
    Command(
        name="hooks",
        short="write PyInstaller hooks",
        about="Write hooks for a PyInstaller that cannot find rustext's own.",
        usage="[OPTION ...] FOLDER",
        example="rustext hooks hooks/",
        runs="rustext.cli.hooks_command:write_hook_files",
        options=("folder", "config", "isolated"),
    ),
    Command(
        name="plugin-path",
        short="for Nuitka's --user-plugin",
        about="Print the path of the plugin, for a Nuitka of another environment.",
        usage="[OPTION ...]",
        example='python -m nuitka --user-plugin="$(rustext plugin-path)" app.py',
        runs="rustext.cli.doctor_command:print_plugin_path",
    ),
    Command(
        name="doctor",
        short="is this machine ready to freeze",
        about="Check the interpreter, the freezers and their tools, and the project in this "
        "folder.",
        usage="[OPTION ...]",
        example="rustext doctor",
        runs="rustext.cli.doctor_command:print_checks",
        options=("config", "isolated", "show-config", "format", "output-report"),
        exits=(("0", "ready"), ("1", "something keeps it from freezing"), _REFUSED, _FAULT),
    ),
    Command(
        name="explain",
        short="what a finding means, and what to do",
        about="Print the page of the documentation about a finding; no network is needed.",
        usage="[OPTION ...] [ID]",
        example="rustext explain missing-import",
        runs="rustext.cli.explain_command:explain",
        options=("id",),
    ),
    Command(
        name="clean",
        short="empty the cache",
        about="Remove what rustext has stored about this user's environments and bundles; the next "
        "run reads all files again.",
        usage="[OPTION ...]",
        example="rustext clean",
        runs="rustext.cli.explain_command:clean",
    ),
    Command(
        name="completion",
        short="complete commands and options in a shell",
        about="Print a completion script; it is made by shtab (pip install "
        "'rustext[completion]').",
        usage="SHELL",
        example='eval "$(rustext completion bash)"',
        runs="rustext.cli.explain_command:print_completion",
        options=("shell",),
        common=("debug",),
    ),
)  # fmt: skip
