"""The hooks of an environment, cached until it changes.

In: an environment and a configuration. Out: a folder that PyInstaller can read its hooks from. It
is in the cache folder, under a name made of what is installed: nothing is written twice, and
nothing is stale after an upgrade. Where no cache folder can be written to, a folder for temporary
files takes its place. Each build waits for the answer, so what writes hooks is imported when it is
needed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from rustext import __version__
from rustext.config import Config
from rustext.data import package_text
from rustext.environment.environment import Environment
from rustext.errors import UnreadableFile
from rustext.files.cache import identify, user_cache_folder
from rustext.freezing.options import SessionOptions

Others = Sequence[tuple[str, str]]  # who else has hooks: an entry point's module, and a folder

_log = logging.getLogger("PyInstaller.rustext")  # read during a build, as a rule

_DEFAULTS = SessionOptions()
OTHERS_FILE = "other-hooks.json"  # beside the hooks
_KEPT = 8  # cached folders; one for each environment that is used in turns
_TEXTS = ("freezing/pyinstaller/hook_files.py", "plan/selftest_entry.py")  # they make the hooks
_IN_USE = 24 * 3600  # seconds; a build that asked for a folder may still need it


def cached_hooks(
    env: Environment,
    config: Config,
    cache: Path | None = None,
    *,
    others: Others | None = None,
    odd: Sequence[Path] = (),
    options: SessionOptions = _DEFAULTS,
) -> Path:
    """The folder with the hooks of an environment; written if it is not there yet.

    `others` are noted there, for hooks that ask; None if they are not known. `odd` are folders with
    hooks of the program's own that PyInstaller cannot compare with ours. Another answer makes
    another folder, and so does another configuration: PyInstaller analyses a program again where
    its folders of hooks change. Several builds may do this at once: the folder appears whole or not
    at all.
    Raises `UnreadableFile` where nothing can be written, not even temporary files.
    """
    name = fingerprint(env, config, others, options, odd)
    selftest = options.selftest or config.selftest
    kept = cache or user_cache_folder()
    try:
        folder = kept / "pyinstaller" / name
        return _keep_hooks(env, config, folder, others, odd, selftest=selftest)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        text = "rustext: cannot write to `%s`: %s; hooks go to a temporary folder"
        _log.warning(text, error.filename or kept, reason)
    try:
        return _keep_hooks(env, config, _private_folder() / name, others, odd, selftest=selftest)
    except OSError as error:
        raise UnreadableFile(
            f"there is no folder for hooks: {error}",
            hint="set XDG_CACHE_HOME or TMPDIR to a folder that can be written to",
        ) from error


def _keep_hooks(
    env: Environment,
    config: Config,
    folder: Path,
    others: Others | None,
    odd: Sequence[Path],
    *,
    selftest: bool,
) -> Path:
    if folder.is_dir():
        with contextlib.suppress(OSError):  # a cache that somebody else has filled for us
            os.utime(folder)
        return folder
    from rustext.freezing.pyinstaller.hook_files import write_short_hooks  # noqa: PLC0415
    from rustext.plan.planner import Planner  # noqa: PLC0415

    home = folder.parent
    home.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=home))
    try:
        theirs = [*odd, *(Path(path) for _, path in others or ())]
        write_short_hooks(Planner(env, config, keep=True), draft, selftest=selftest, others=theirs)
        if others is not None:
            (draft / OTHERS_FILE).write_text(f"{json.dumps(others)}\n", encoding="utf-8")
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not folder.is_dir():  # otherwise another build was faster
            raise
    _remove_oldest(home)
    return folder


def _private_folder() -> Path:
    """A private folder for temporary files, the same in each build.

    Hooks are run. Raises `PermissionError` where somebody else owns a folder of this name.
    """
    owner = os.getuid() if hasattr(os, "getuid") else "user"  # Windows: a folder for each user
    folder = Path(tempfile.gettempdir()) / f"rustext-{owner}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    open_to_others = hasattr(os, "getuid") and (
        status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )
    if open_to_others or not stat.S_ISDIR(status.st_mode):
        raise PermissionError(f"{folder} is not a folder of this user's alone")
    return folder


def fingerprint(
    env: Environment,
    config: Config,
    others: Others | None = None,
    options: SessionOptions = _DEFAULTS,
    odd: Sequence[Path] = (),
) -> str:
    """A name for what is installed and asked for: it changes with each distribution and option.

    What the text of a hook is made of counts as well, for a checkout keeps its version while it is
    worked on.
    """
    facts = (__version__, env.interpreter.suffixes, config, options, others, odd)
    digest = hashlib.sha256(repr(facts).encode())
    for name in _TEXTS:
        digest.update(package_text(name).encode())
    for folder in odd:
        _digest_files(digest, folder.glob("**/hook-*.py"))
    for site in env.sites:
        _digest_files(digest, site.glob("*.dist-info/RECORD"))
    for site in env.sources:
        _digest_files(digest, env.iter_extensions(site))
    digest.update(repr(env.editable).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:24]


def _digest_files(digest: hashlib._Hash, files: Iterable[Path]) -> None:
    for file in sorted(files):
        digest.update(f"{file} {identify(file)}\n".encode("utf-8", "surrogateescape"))


def _remove_oldest(home: Path) -> None:
    """Remove what has long not been used, and the drafts of builds that were stopped."""
    oldest = time.time() - _IN_USE
    kept: list[tuple[float, Path]] = []
    drafts: list[tuple[float, Path]] = []
    for path in home.iterdir():
        found = drafts if path.name.startswith(".draft-") else kept
        with contextlib.suppress(OSError):  # another build was faster
            found.append((path.stat().st_mtime, path))
    for used, path in (*drafts, *sorted(kept)[:-_KEPT]):
        if used < oldest:
            shutil.rmtree(path, ignore_errors=True)
