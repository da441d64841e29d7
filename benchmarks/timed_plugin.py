"""Counts the processor time that Nuitka spends in rustext's plugin; see build_overhead.py."""

from __future__ import annotations

import atexit
import functools
import time

from nuitka.plugins.PluginBase import NuitkaPluginBase
from nuitka.plugins.standard import RustextPlugin

_SPENT = [0.0]
_DEPTH = [0]


def _timed(method):
    @functools.wraps(method)
    def call(*arguments, **options):
        _DEPTH[0] += 1
        begin = time.process_time()
        try:
            return method(*arguments, **options)
        finally:
            _DEPTH[0] -= 1
            if not _DEPTH[0]:  # a method that another one calls is counted already
                _SPENT[0] += time.process_time() - begin

    return call


for _name, _method in list(vars(RustextPlugin.NuitkaPluginRustext).items()):
    if callable(_method) and not _name.startswith("__"):
        setattr(RustextPlugin.NuitkaPluginRustext, _name, _timed(_method))
atexit.register(lambda: print(f"inside rustext: {_SPENT[0]:.3f} s", flush=True))


class NuitkaPluginTimer(NuitkaPluginBase):
    """Has nothing to say to Nuitka; its file is what matters."""

    plugin_name = "timer"
    plugin_desc = "Count the time in rustext's plugin."
