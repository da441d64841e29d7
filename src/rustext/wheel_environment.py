"""The environment that there would be if a wheel were installed into one.

In: a wheel that discovery has opened, and an environment. Out: an environment in which the wheel's
distribution stands first on the path, so that its own modules are found and its `Requires-Dist`
counts. What it requires is looked for in the environment as it is: nothing is downloaded.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import PurePosixPath

from rustext.discover import Source, installed_path, unpack_member
from rustext.environment import Environment


def with_wheel(env: Environment, source: Source) -> Environment:
    """The environment with the wheel in it, for as long as the source is open.

    `source` is an open wheel's (`rustext.discover.open_source`, which has judged its members);
    what it has left packed is unpacked beside its native files.
    """
    if source.wheel is None:
        return env
    with zipfile.ZipFile(source.wheel) as archive:
        for info in archive.infolist():
            target = source.root / installed_path(PurePosixPath(info.filename.replace("\\", "/")))
            if not info.is_dir() and not target.exists():
                unpack_member(archive, info, target)
    facts = env.interpreter
    return Environment(replace(facts, path=(str(source.root), *facts.path)))
