"""Keeps Nuitka's tests short: modules are bundled as bytecode instead of compiled.

What is included does not change by it. A few modules have to stay compiled: those whose names
begin with two underscores, Nuitka's own pre- and post-load modules, and what another plugin has
compiled; `RUSTEXT_TEST_COMPILE` names further top-level packages, separated by commas, and single
modules, each with `=` before it.
Nuitka answers literal calls such as `importlib.metadata.version("x")` at compile time, so what asks
for metadata belongs into that list.
"""

import os

from nuitka.plugins.PluginBase import NuitkaPluginBase


class NuitkaPluginDemote(NuitkaPluginBase):
    """Answers Nuitka's question for each module."""

    plugin_name = "demote"
    plugin_desc = "Bundle modules as bytecode."

    def __init__(self):
        compiled = os.environ.get("RUSTEXT_TEST_COMPILE", "")
        self.compiled = set(filter(None, compiled.split(",")))

    def decideCompilation(self, module_name):
        """Say "bytecode" for all that may be, and leave the rest to Nuitka."""
        name = module_name.asString()
        technical = name.startswith("__") or name.endswith(("-preLoad", "-postLoad"))
        technical = technical or name == "xmlrpc.server"  # of its "anti-bloat"
        keep = technical or not self.compiled.isdisjoint((f"={name}", name.partition(".")[0]))
        return None if keep else "bytecode"
