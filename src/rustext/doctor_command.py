"""`rustext doctor` and `rustext plugin-path`: questions about this installation."""

from __future__ import annotations

import argparse

from rustext.doctor import examine, plugin_path
from rustext.findings import Severity
from rustext.report.console import Console, Style
from rustext.report.documents import to_json


def print_plugin_path(args: argparse.Namespace, console: Console) -> int:
    """`rustext plugin-path`: the file that Nuitka's --user-plugin takes."""
    path = str(plugin_path())
    console.write(to_json({"plugin": path}) if args.json else f"{path}\n")
    return 0


def print_checks(args: argparse.Namespace, console: Console) -> int:
    """`rustext doctor`: what keeps this machine from freezing."""
    checks = examine()
    failed = any(check.severity is Severity.ERROR for check in checks)
    if args.json:
        rows = [
            {
                "name": c.name,
                "severity": c.severity.value if c.severity else None,
                "message": c.message,
                "hint": c.hint,
            }
            for c in checks
        ]
        console.write(to_json({"ok": not failed, "checks": rows}))
        return int(failed)
    for check in checks:
        bad = check.severity
        label = ("ok     ", Style.GREEN) if bad is None else f"{bad.value:<7}"
        console.line(label, f" {check.name:<18} {check.message}")
        if check.hint:
            console.line("        ", ("hint:", Style.BOLD), f" {check.hint}")
    return int(failed)
