"""What plugins and hooks call is there in the installed freezers; where not, the call is named."""

from __future__ import annotations

import pytest
from freezer_interfaces import USERS, Freezer, find_missing, freezers


@pytest.fixture(params=list(USERS))
def freezer(request: pytest.FixtureRequest) -> Freezer:
    return next(f for f in freezers() if f.folder.name == request.param)


def test_the_installed_freezer_has_all_that_is_used(freezer: Freezer) -> None:
    assert find_missing(freezer) == []


PLUGIN_BASE = "plugins/PluginBase.py"


@pytest.mark.parametrize(
    ("package", "file", "text", "without", "said"),
    [
        ("nuitka", PLUGIN_BASE, "def onDllTags(", "def f(", "Base has no `onDllTags`"),
        ("nuitka", PLUGIN_BASE, "def sysexit(", "def f(", "Base has no `sysexit`"),
        ("nuitka", PLUGIN_BASE, "considerDataFiles(self, module)",
         "considerDataFiles(self, module, how)", "considerDataFiles has a parameter `how`"),
        ("nuitka", "nodes/ModuleNodes.py", "def getCompileTimeFilename(", "def f(",
         "PythonExtensionModule has no `getCompileTimeFilename`"),
        ("nuitka", "nodes/ModuleNodes.py", "class PythonExtensionModule(", "class Other(",
         "PythonExtensionModule has no `getFullName`"),
        ("nuitka", "options/Options.py", "def isStandaloneMode(", "def f(", "isStandaloneMode"),
        ("nuitka", "Version.py", "def getNuitkaVersion(", "def f(", "no `getNuitkaVersion`"),
        ("PyInstaller", "depend/imphookapi.py", "def add_runtime_module(", "def f(",
         "PreSafeImportModuleAPI has no `add_runtime_module`"),
        ("PyInstaller", "building/build_main.py", "self.custom_runtime_hooks", "self.other",
         "Analysis has no `custom_runtime_hooks`"),
        ("PyInstaller", "lib/modulegraph/modulegraph.py", "def import_hook(", "def f(",
         "PyiModuleGraph has no `import_hook`"),
        ("PyInstaller", "compat.py", "VALID_MODULE_TYPES", "OTHER", "no `VALID_MODULE_TYPES`"),
    ],
)  # fmt: skip
def test_a_call_that_is_gone_is_named_with_the_line_that_makes_it(
    package: str, file: str, text: str, without: str, said: str
) -> None:
    freezer = next(f for f in freezers() if f.folder.name == package)
    path = freezer.folder / file
    assert text in freezer.texts[path]
    freezer.texts[path] = freezer.texts[path].replace(text, without)
    missing = find_missing(freezer)
    assert any(said in line for line in missing), missing
    assert all(line.split(":")[1].isdecimal() for line in missing)
