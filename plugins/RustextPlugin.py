"""Tell Nuitka what Rust extension modules need: `--enable-plugin=rustext`.

Nuitka has no entry points: it imports each file in `nuitka/plugins/standard/`, where the wheel
puts this one, and instantiates the classes whose `plugin_name` is asked for. The same file works
as `--user-plugin="$(rustext plugin-path)"`. As it is imported in every build, used or not, it
imports rustext only when it is used. What it says comes from `rustext.freezing.session`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nuitka.plugins.PluginBase import NuitkaPluginBase
from nuitka.Version import getNuitkaVersion

if TYPE_CHECKING:
    from rustext.freezing.nuitka.install_names import InstallNames
    from rustext.freezing.nuitka.interpreted import Interpreted
    from rustext.freezing.nuitka.renamed_modules import StandIns
    from rustext.freezing.session import Session

_FLAGS = {
    "strict": "Stop the build where a library of a Rust extension is missing or a file cannot be "
    "judged, instead of warning. Defaults to off.",
    "verify": "Verify the finished folder, and fail the build if it does not stand alone. Defaults "
    "to off.",
    "selftest": "Build in a self-test, for `rustext verify --selftest`. Defaults to off.",
    "leave-plan": "Leave what was added, and why, in the folder. Defaults to off.",
}


@contextlib.contextmanager
def _own_imports() -> Iterator[None]:
    """While rustext imports: the current folder, which `python -m` has first, comes last."""
    before = [*sys.path]
    sys.path.sort(key=lambda entry: os.path.realpath(entry) == os.path.realpath(""))
    try:
        yield
    finally:
        sys.path[:] = before


def _guarded(method: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
    """The border to the freezer: what fails in rustext is said, and the build goes on without."""

    @functools.wraps(method)
    @_own_imports()
    def answer(self: Any, *about: Any, **others: Any) -> tuple[Any, ...]:
        try:
            return () if self.broken else tuple(method(self, *about, **others) or ())
        except Exception as error:  # noqa: BLE001
            self.complain_of(about[0] if about else method.__name__, error)
            return ()

    return answer


class NuitkaPluginRustext(NuitkaPluginBase):  # type: ignore[misc]  # Nuitka carries no types
    """Adds the modules that only Rust code imports, and the files that they need."""

    plugin_name = "rustext"
    plugin_desc = "Required by packages with Rust extension modules in standalone mode."
    plugin_category = "package-support"

    def __init__(self, **options: Any) -> None:
        """Nuitka makes one plugin object for a build, and passes the options by name."""
        self._options = {name.removeprefix("rustext_"): value for name, value in options.items()}
        self._strict = bool(options.get("rustext_strict"))
        self._failed: set[str] = set()
        self._warned: set[str] = set()
        self.broken = False  # rustext itself, not one module of the program
        self._find_editable()

    @classmethod
    def addPluginCommandLineOptions(cls, group: Any) -> None:
        """Declare the plugin's own options; they show in `--help-plugins`."""
        for name, text in _FLAGS.items():
            dest = f"rustext_{name.replace('-', '_')}"
            group.add_option(
                f"--rustext-{name}", action="store_true", dest=dest, default=False, help=text
            )
        group.add_option(
            "--rustext-report", dest="rustext_report", default=None, metavar="FILE",
            help="Write what was added, and why, as JSON.",
        )  # fmt: skip
        group.add_option(
            "--rustext-trace", action="append", dest="rustext_traces", default=[], metavar="FILE",
            help="A record of `rustext trace`, besides the one in pyproject.toml. Can be repeated.",
        )  # fmt: skip

    def _find_editable(self) -> None:
        """Let Nuitka find what import finders serve: it searches `sys.path` alone."""
        with contextlib.suppress(Exception):  # the session says what does not work
            with _own_imports():
                from rustext.environment.editable_installs import search_path  # noqa: PLC0415
                from rustext.environment.environment import this_environment  # noqa: PLC0415

                editable = this_environment().editable
            if editable.modules:
                sys.path[:] = search_path(editable, sys.path)

    @functools.cached_property
    def session(self) -> Session:
        """The state of this build; made when the first module asks for it."""
        self.broken = True  # until there is a session
        from rustext.errors import RustextError  # noqa: PLC0415
        from rustext.freezing.options import read_options  # noqa: PLC0415
        from rustext.freezing.session import start_session  # noqa: PLC0415

        try:
            session = start_session(
                self._folder, read_options(**self._options), freezer=f"Nuitka {getNuitkaVersion()}"
            )
        except RustextError as error:  # what the user asks for cannot be understood
            self.sysexit(f"{error}; {error.hint}" if error.hint else str(error))
            raise
        self._strict, self.broken = session.options.strict, False
        return session

    @property
    def _folder(self) -> Path:
        program = Path(_options().getMainEntryPointFilenames()[0]).resolve()
        return program if program.is_dir() else program.parent

    @functools.cached_property
    def install_names(self) -> InstallNames:
        """What Nuitka's scanner for macOS has to be told."""
        from rustext.freezing.nuitka.install_names import InstallNames  # noqa: PLC0415

        return InstallNames(self.session.build.planner)

    @functools.cached_property
    def interpreted(self) -> Interpreted:
        """The program's modules that are not compiled."""
        from rustext.freezing.nuitka.interpreted import Interpreted  # noqa: PLC0415

        return Interpreted(self.session.build, self._folder)

    @functools.cached_property
    def stand_ins(self) -> StandIns:
        """Copies of files under the names that they have in the bundle."""
        from rustext.freezing.nuitka.renamed_modules import StandIns  # noqa: PLC0415

        return StandIns()

    @classmethod
    def isRelevant(cls) -> bool:
        """Only a standalone program has to carry what it imports."""
        return bool(_options().isStandaloneMode())

    @_guarded
    def getImplicitImports(self, module: Any) -> list[str]:
        """Name the modules that this one imports from native code."""
        path = _file_of(module)
        build = self.session.build
        if module.isMainModule():
            scripts = _options().getMainEntryPointFilenames()
            found = build.begin([Path(name).resolve() for name in scripts])
            unread = self.interpreted.imports(path)
        else:
            path = self.stand_ins.original(path) if path is not None else None
            found, unread = build.enter(_name(module), path), ()
        self._warn_of(build.faults)  # Nuitka may end of such a file, or wait for it
        return [*(i.module for i in found), *unread]

    def onModuleEncounter(
        self, using_module_name: Any, module_name: Any, module_filename: Any, module_kind: str
    ) -> tuple[bool, str] | None:
        """Stay away from a file that cannot be read where only what was added leads there."""
        del module_kind
        shunned = self._shunned(module_name, using_module_name, module_filename)
        return (False, "its file cannot be read") if shunned else None

    @_guarded
    def _shunned(self, module_name: Any, importer: Any, file: str | None) -> list[str]:
        build, name = self.session.build, str(module_name)
        path = Path(file) if file is not None else None
        if build.shuns(str(importer), name, path):
            self._warn_of(build.faults)
            return [name]
        for unread in build.unreadable_imports(name):
            _look_no_further(unread)
        return []

    def onModuleSourceCode(self, module_name: Any, source_filename: str, source_code: str) -> str:
        """Run the program's first file from bytecode where its local variables are looked at."""
        text = self._as_bytecode(str(module_name), source_filename, source_code)
        return "".join(text) or source_code

    @_guarded
    def _as_bytecode(self, name: str, file: str, source: str) -> Iterator[str]:
        return self.interpreted.replace(name, Path(file), source)

    def decideCompilation(self, module_name: Any) -> str | None:
        """Keep a module as bytecode where its functions' local variables are looked at."""
        return "bytecode" if self._is_bytecode(str(module_name)) else None

    @_guarded
    def _is_bytecode(self, name: str) -> list[str]:
        return [name] if self.interpreted.keeps(name) else []

    @_guarded
    def createPreModuleLoadCode(self, module: Any) -> tuple[str, str] | None:
        """Put the self-test ahead of the program, where it is asked for."""
        source = self.session.selftest_source if module.isMainModule() else None
        return (source, "the self-test that was asked for") if source is not None else None

    @_guarded
    def onModuleCompleteSet(self, module_set: Any) -> None:
        """Drop what Nuitka has dropped: a report tells of the program, not of the search for it."""
        self.session.build.settle(_name(module) for module in module_set)

    @_guarded
    def getExtraDlls(self, module: Any) -> Iterator[Any]:
        """Place the libraries and programs that the module's package loads by path."""
        for kind, make in (
            ("library", self.makeDllEntryPoint),
            ("executable", self.makeExeEntryPoint),
        ):
            for companion in self._accompany(module, kind):
                if companion.renamed:  # Nuitka finds it in a folder of stand-ins
                    continue
                package = module.getFullName().getTopLevelPackageName()
                folder = self.session.build.file_of(str(package))
                is_closed = folder and self.session.build.has_closed_folder(folder.parent)
                yield make(
                    source_path=str(companion.path),
                    dest_path=os.path.normpath(companion.destination),
                    module_name=module.getFullName(),
                    package_name=None if is_closed else package,  # whose folders Nuitka lists
                    reason=companion.reason,
                )

    def _accompany(self, module: Any, *kinds: str) -> tuple[Any, ...]:
        """The companions of a module; the program's first one brings those of its record."""
        recorded = self.session.accompany_program(*kinds) if module.isMainModule() else ()
        return (*recorded, *self.session.accompany(_file_of(module), *kinds))

    @_guarded
    def getPackageExtraScanPaths(self, package_name: Any, package_dir: str) -> list[str]:
        """Show misnamed modules of a package under names that Nuitka looks for.

        `package_dir` is where the package is looked for: a folder of `sys.path`.
        """
        package = Path(package_dir, *str(package_name).split("."))
        companions = self.session.build.planner.companions_for(package / "__init__.py")
        return [str(folder) for folder in self.stand_ins.folder_for(package, companions)]

    @_guarded
    def onDllTags(self, included_entry_point: Any) -> None:
        """Show a file to Nuitka's macOS scanner under the name by which it calls itself."""
        entry, names = included_entry_point, self.install_names
        for text in names.stops(Path(entry.source_path)):
            (self.sysexit if self._strict else self.warning)(text)
        entry.source_path = str(names.stand_in(Path(entry.source_path), str(entry.package_name)))

    @_guarded
    def getModuleSpecificDllPaths(self, module_name: Any) -> list[str]:
        """Name the folders of libraries that another distribution brings (macOS)."""
        return [str(folder) for folder in self.install_names.folders(str(module_name))]

    def decideAllowOutsideDependencies(self, module_name: Any) -> bool | None:
        """Let a module's libraries in where they were shown in another folder (macOS)."""
        return bool(self._needing_outside(module_name)) or None

    @_guarded
    def _needing_outside(self, module_name: Any) -> list[str]:
        return [n for n in (str(module_name),) if self.install_names.needs_outside(n)]

    @_guarded
    def considerDataFiles(self, module: Any) -> Iterator[Any]:
        """Place metadata, data files and folders, and what rustext leaves behind on request."""
        own = self.session.build.program_files() if module.isMainModule() else ()
        for companion in (*own, *self._accompany(module, "data", "metadata")):
            yield self.makeIncludedDataFile(
                source_path=str(companion.path),
                dest_path=os.path.normpath(companion.destination),
                reason=companion.reason,
            )
        for companion in self._accompany(module, "folder"):
            folder = os.path.normpath(companion.destination.parent)
            yield self.makeIncludedEmptyDirectory(
                dest_path=folder, reason=companion.reason, tags=""
            )
        for left in self.session.left_files if module.isMainModule() else ():
            yield self.makeIncludedGeneratedDataFile(
                data=left.data, dest_path=left.name, reason=left.reason
            )

    @_guarded
    def onStandaloneDistributionFinished(self, dist_dir: str, **_: Any) -> None:
        """Say in one line what was added, and what the user has to look after."""
        self.info(self.session.build.summary() + ".")
        for name, reason in self.interpreted.reasons:
            self.info(f"'{name}' is bytecode: {reason}")
        for hint in self.session.build.hints:
            self.info(hint)
        self._warn_of(self.session.build.warnings)
        self.session.write_report()
        if self.session.options.verify:
            findings = self.session.judge(Path(dist_dir))
            for finding in findings:
                self.warning(f"{finding.id}: {finding.message}")
            if any(finding.severity.value == "error" for finding in findings):
                self.sysexit(f"'{dist_dir}' is not ready; `rustext verify` says more.")

    @_guarded
    def getReportData(self, **_: Any) -> tuple[tuple[str, str], ...]:  # before 4.3, no arguments
        """Put what was added, with its evidence, into Nuitka's XML report."""
        return self.session.report_rows()

    def _warn_of(self, warnings: tuple[str, ...]) -> None:
        """Say each warning once in a build."""
        for warning in warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self.complain(warning)

    def complain(self, text: str) -> None:
        """Warn, or stop the build where the user wants that."""
        if self._strict:
            self.sysexit(text)
        self.warning(text)

    def complain_of(self, about: Any, error: Exception) -> None:
        """Say what went wrong with a module or a folder, for each once."""
        module = hasattr(about, "getFullName")
        subject = "this program" if self.broken else f"'{_name(about) if module else about}'"
        if subject not in self._failed:
            self._failed.add(subject)
            what = "nothing added for" if module or self.broken else "failed at"
            self.complain(f"{what} {subject}: {error!r}")


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

    @_own_imports()
    def onModuleDiscovered(self, module: Any) -> None:
        """Look at extension modules until the first one that is Rust."""
        path = _file_of(module) if module.isPythonExtensionModule() else None
        if path is None or self._done:
            return
        try:
            from rustext.discovery.native_files import is_rust  # noqa: PLC0415

            self._done = is_rust(path)
        except Exception:  # noqa: BLE001  (a hint is not worth a word about its failure)
            self._done = True
        else:
            if self._done:
                self.warnUnusedPlugin(f"Rust extension modules, such as '{_name(module)}'.")


def _name(module: Any) -> str:
    return str(module.getFullName().asString())


def _file_of(module: Any) -> Path | None:
    name = module.getCompileTimeFilename()
    return Path(name) if name and os.path.isfile(name) else None  # noqa: PTH113


def _look_no_further(name: str) -> None:
    """Keep Nuitka from opening a module's file for what it calls a look ahead, which may end it."""
    from nuitka.plugins.Plugins import Plugins  # noqa: PLC0415
    from nuitka.utils.ModuleNames import ModuleName  # noqa: PLC0415

    looked = getattr(Plugins, "module_usage_looked_ahead_cache", None)
    if looked is not None:
        looked.add(ModuleName(name))


def _options() -> Any:
    try:
        from nuitka.options import Options  # noqa: PLC0415
    except ImportError:  # before Nuitka 4
        from nuitka import Options  # noqa: PLC0415
    return Options
