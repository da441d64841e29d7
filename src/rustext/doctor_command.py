"""`rustext doctor` and `rustext plugin-path`: questions about this installation."""

from __future__ import annotations

import argparse

from rich.console import Console

from rustext.doctor import examine, plugin_path
from rustext.findings import Severity
from rustext.report.documents import to_json
from rustext.report.escape import in_markup


def print_plugin_path(args: argparse.Namespace, console: Console) -> int:
    """`rustext plugin-path`: the file that Nuitka's --user-plugin takes."""
    path = str(plugin_path())
    console.print(to_json({"plugin": path}) if args.json else path, markup=False, soft_wrap=True)
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
        console.print(to_json({"ok": not failed, "checks": rows}), markup=False, soft_wrap=True)
        return int(failed)
    for check in checks:
        label = "[green]ok[/green]     " if check.severity is None else f"{check.severity.value:<7}"
        console.print(f"{label} {check.name:<18} {in_markup(check.message)}", soft_wrap=True)
        if check.hint:
            console.print(f"        [bold]hint:[/bold] {in_markup(check.hint)}", soft_wrap=True)
    return int(failed)
