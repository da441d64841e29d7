"""Tell Nuitka what Rust extension modules need: `--enable-plugin=rustext`.

Nuitka has no entry points: it imports each file in `nuitka/plugins/standard/`, where the wheel
puts this one, and instantiates the classes whose `plugin_name` is asked for. The same file works
as `--user-plugin="$(rustext plugin-path)"`. As it is imported in every build, used or not, it
imports rustext only when it is used. What it says comes from `rustext.build`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nuitka.plugins.PluginBase import NuitkaPluginBase

if TYPE_CHECKING:
    from rustext.build import Build
    from rustext.model import Companion


class NuitkaPluginRustext(NuitkaPluginBase):  # type: ignore[misc]  # Nuitka carries no types
    """Adds the modules that only Rust code imports, and what has to stand beside them."""

    plugin_name = "rustext"
    plugin_desc = "Required by packages with Rust extension modules in standalone mode."
    plugin_category = "package-support"

    def __init__(self, rustext_strict: bool = False, rustext_verify: bool = False) -> None:
        """Nuitka makes one plugin object for a build, and passes the options by name."""
        self._strict = rustext_strict
        self._verify = rustext_verify
        self._build: Build | None = None
        self._failed: set[str] = set()

    @classmethod
    def addPluginCommandLineOptions(cls, group: Any) -> None:
        """Declare the plugin's own options; they show in `--help-plugins`."""
        group.add_option(
            "--rustext-strict",
            action="store_true",
            dest="rustext_strict",
            default=False,
            help="Stop the build where a library of a Rust extension is missing or a file cannot "
            "be judged, instead of warning. Defaults to off.",
        )
        group.add_option(
            "--rustext-verify",
            action="store_true",
            dest="rustext_verify",
            default=False,
            help="Verify the finished folder, and fail the build if it does not stand alone. "
            "Defaults to off.",
        )

    @property
    def build(self) -> Build:
        """The state of this build; made when the first module asks for it."""
        if self._build is None:
            from rustext.build import start_build  # noqa: PLC0415
            from rustext.errors import RustextError  # noqa: PLC0415

            try:
                self._build = start_build(_program_folder())
            except RustextError as error:
                self.sysexit(str(error))
        assert self._build is not None  # noqa: S101  (sysexit does not return)
        return self._build

    @classmethod
    def isRelevant(cls) -> bool:
        """Only a standalone program has to carry what it imports."""
        return bool(_options().isStandaloneMode())

    def getImplicitImports(self, module: Any) -> Iterator[tuple[str, str]]:
        """Name the modules that this one imports from native code, each with the reason."""
        name = module.getFullName().asString()
        try:
            found = self.build.enter(name, _file_of(module))
        except Exception as error:  # noqa: BLE001  (the border to the freezer)
            self._skip(name, error)
            return
        for implicit in found:
            yield implicit.module, f"{implicit.evidence[0].where}: {implicit.reason}"

    def getExtraDlls(self, module: Any) -> Iterator[Any]:
        """Place the libraries and programs that the module's package loads by path."""
        for companion in self._accompany(module, "library", "executable"):
            library = companion.kind.value == "library"
            yield (self.makeDllEntryPoint if library else self.makeExeEntryPoint)(
                source_path=str(companion.path),
                dest_path=os.path.normpath(companion.destination),
                module_name=module.getFullName(),
                package_name=module.getFullName().getTopLevelPackageName(),
                reason=companion.reason,
            )

    def considerDataFiles(self, module: Any) -> Iterator[Any]:
        """Place the metadata and data files of the module's distribution."""
        for companion in self._accompany(module, "data", "metadata"):
            yield self.makeIncludedDataFile(
                source_path=str(companion.path),
                dest_path=os.path.normpath(companion.destination),
                reason=companion.reason,
            )
        for companion in self._accompany(module, "folder"):
            yield self.makeIncludedEmptyDirectory(
                dest_path=os.path.normpath(companion.destination.parent),
                reason=companion.reason,
                tags="",
            )

    def onStandaloneDistributionFinished(self, dist_dir: str, *_: Any, **__: Any) -> None:
        """Say in one line what was added, and what the user has to look after."""
        self.info(self.build.summary() + ".")
        for warning in self.build.warnings:
            self._complain(warning)
        if self._verify:
            try:
                self._judge(dist_dir)
            except Exception as error:  # noqa: BLE001  (the border to the freezer)
                self._complain(f"'{dist_dir}' was not verified: {error!r}")

    def _judge(self, dist_dir: str) -> None:
        from rustext.verify import verify_folder  # noqa: PLC0415

        allowed = self.build.planner.config.allow_system
        report = verify_folder(Path(dist_dir), allow_system=allowed)
        for finding in report.findings:
            self.warning(f"{finding.id}: {finding.message}")
        if not report.ok:
            self.sysexit(f"'{dist_dir}' does not stand alone; `rustext verify` says more.")

    def getReportData(self, make_report_path: Any) -> Iterator[tuple[str, str]]:
        """Put each added module and its evidence into Nuitka's XML report."""
        del make_report_path
        for name, implicit in sorted(self.build.modules.items()):
            evidence = "; ".join(f"{e.kind.value}: {e.where}" for e in implicit.evidence)
            yield f"implicit_import_{name}", f"{implicit.reason} ({evidence})"

    def _accompany(self, module: Any, *kinds: str) -> tuple[Companion, ...]:
        from rustext.model import CompanionKind  # noqa: PLC0415

        path = _file_of(module)
        try:
            wanted = [CompanionKind(kind) for kind in kinds]
            return tuple(self.build.accompany(path, *wanted)) if path is not None else ()
        except Exception as error:  # noqa: BLE001  (the border to the freezer)
            self._skip(module.getFullName().asString(), error)
            return ()

    def _skip(self, name: str, error: Exception) -> None:
        if name not in self._failed:
            self._failed.add(name)
            self._complain(f"nothing added for '{name}': {error!r}")

    def _complain(self, text: str) -> None:
        if self._strict:
            self.sysexit(text)
        self.warning(f"{text}; the build goes on")


class NuitkaPluginDetectorRustext(NuitkaPluginBase):  # type: ignore[misc]
    """Points to the plugin when a program has Rust extensions and does without it."""

    detector_for = NuitkaPluginRustext

    @classmethod
    def isRelevant(cls) -> bool:
        """Stay away where the same plugin is loaded with `--user-plugin`."""
        from nuitka.plugins import Plugins  # noqa: PLC0415

        names = {getattr(plugin, "plugin_name", None) for plugin in Plugins.user_plugins}
        return NuitkaPluginRustext.isRelevant() and "rustext" not in names

    def __init__(self) -> None:
        """Nuitka makes one detector for a build."""
        self._done = False

    def onModuleDiscovered(self, module: Any) -> None:
        """Look at extension modules until the first one that is Rust."""
        path = _file_of(module) if module.isPythonExtensionModule() else None
        if path is None or self._done:
            return
        try:
            from rustext.discover import is_rust  # noqa: PLC0415

            self._done = is_rust(path)
        except Exception:  # noqa: BLE001  (a hint is not worth a word about its failure)
            self._done = True
        else:
            if self._done:
                self.warnUnusedPlugin(f"Rust extension modules, such as '{module.getFullName()}'.")


def _file_of(module: Any) -> Path | None:
    name = module.getCompileTimeFilename()
    return Path(name) if name and os.path.isfile(name) else None  # noqa: PTH113


def _program_folder() -> Path:
    return Path(_options().getMainEntryPointFilenames()[0]).resolve().parent


def _options() -> Any:
    try:
        from nuitka.options import Options  # noqa: PLC0415
    except ImportError:  # before Nuitka 4
        from nuitka import Options  # noqa: PLC0415
    return Options
