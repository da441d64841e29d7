"""The `rustext` command."""

from __future__ import annotations

import signal
import sys

from rustext.cli.main import run


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)  # as a shell has it; what is temporary is removed on the way


def main() -> None:
    """Run the command line and leave with its exit code; SIGTERM ends it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, _end)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
