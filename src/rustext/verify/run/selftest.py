"""Run the self-test that was built into a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rustext.errors import InvalidBundle
from rustext.plan.selftest import SELFTEST_FILE, SELFTEST_VARIABLE, SelfTest, parse_answers
from rustext.verify.bundle.bundle import Bundle
from rustext.verify.run.start import run_bundle


def run_selftest(bundle: Bundle, *, hide: Sequence[Path] = (), timeout: float = 60) -> SelfTest:
    """Start the program's self-test.

    Raises `InvalidBundle` where none is built in, or for another system, and `ForeignProcessError`
    if it cannot be started.
    """
    if bundle.start is None or not (bundle.contents / SELFTEST_FILE).is_file():
        raise InvalidBundle(
            f"{bundle.path} has no self-test built in",
            hint="freeze it with `selftest = true` in [tool.rustext], or with Nuitka's "
            "--rustext-selftest, and again without for the release",
        )
    variables = {SELFTEST_VARIABLE: "1"}
    return parse_answers(run_bundle(bundle, hide=hide, timeout=timeout, variables=variables))
