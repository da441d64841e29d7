"""What rustext does once in each build, whatever modules are in the program.

PyInstaller goes on where an entry point fails, so the user's mistakes are looked for where its own
errors are raised: in a hook. In: the build as it begins, and PyInstaller's graph of the program.
Out: an end with exit code 1 for a mistake, what the hooks for modules have left to do, and one line
in the log as the build ends.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .analysis_state import State, at_end, current_state, own_imports, states

_logger = logging.getLogger("PyInstaller.rustext")
_EXTENSIONS = frozenset({"Extension", "ExtensionPackage"})  # types of nodes in PyInstaller's graph


@own_imports()
def begin() -> None:
    """Stop a build with one line where the user asks for what makes no sense.

    Where rustext itself does not work, the log says so, and the build goes on.
    """
    state = current_state()
    error = state.error
    if error is None or state.is_begun:
        return
    state.is_begun = True
    line = getattr(error, "line", None)  # a `RustextError`; rustext may not be importable
    if line is not None:
        raise SystemExit(f"ERROR: rustext: {line}")
    hint = "; `pip install rustext` brings what it needs" if isinstance(error, ImportError) else ""
    _logger.error("rustext: nothing is added to this program: %r%s", error, hint)
    _logger.debug("rustext: this is a defect of rustext's", exc_info=error)


def complete(api: Any) -> None:
    """Add what no hook for a module has added, and see to the line at the end of the build.

    Of several analyses in a spec file, PyInstaller begins the later ones with the first one's graph
    of `base_library.zip`, and without what calls `begin`.
    """
    begin()
    state = current_state()
    first = state.graph is None
    if not first:
        return
    state.graph = api.graph
    at_end(_say_what_was_done, state)
    if state.error is not None:
        _analyse_again(api.analysis)
        return
    try:
        _complete(state, api)
    except Exception as error:  # the border to the freezer
        _logger.error("rustext: the program is not completed, the build goes on: %r", error)  # noqa: TRY400
        _logger.debug("rustext: this is a defect of rustext's", exc_info=error)
        _analyse_again(api.analysis)


@own_imports()
def _complete(state: State, api: Any) -> None:
    from rustext.errors import RustextError  # noqa: PLC0415  (it may not work)

    from .checkout import add_all, add_module  # noqa: PLC0415
    from .module_hook import leave_files  # noqa: PLC0415
    from .program import add_program, answer_python  # noqa: PLC0415

    _leave_broken_packages_out(state)
    written = _written_folder(api.analysis)
    if written is None:
        add_all(api)
    planner = state.session.build.planner
    for name, path in _iter_extensions(state):
        try:
            if name not in state.hooked and planner.covers(planner.catalogue.read_file(path)):
                add_module(name, api)
        except RustextError as error:
            _logger.warning("rustext: nothing added for %s, the build goes on: %s", name, error)
    try:
        add_program(state, api)
        answer_python(state, api.analysis)
    except (RustextError, OSError) as error:
        _logger.warning(
            "rustext: nothing added for the program's own code, the build goes on: %s", error
        )
    api.add_datas(leave_files())
    _ask_for_selftest(state, written, api.analysis)
    _see_changes(state, api.analysis)


def _leave_broken_packages_out(state: State) -> None:
    """Have PyInstaller leave packages out that it would end at, if only what was added needs them.

    It leaves out modules whose source cannot be read or does not compile, and keeps packages. Both
    are named, as no distribution may list them.
    Hooks for modules add to the graph to the end; it is complete when it is asked for the modules.
    """
    list_modules = state.graph.make_pure_toc

    @own_imports()
    def list_without_broken() -> Any:
        build = state.session.build
        for node in _iter_broken(state):
            try:
                build.is_readable(build.file_of(node.identifier))
            except Exception as error:  # noqa: BLE001  (the border to the freezer)
                _logger.warning("rustext: cannot judge %s: %r", node.identifier, error)
            if type(node).__name__ == "Package":
                state.graph.removeNode(node)
        return list_modules()

    state.graph.make_pure_toc = list_without_broken


def _iter_broken(state: State) -> Iterator[Any]:
    """The nodes of modules and packages without code that the program itself does not come to."""
    graph = state.graph
    kinds = ((node, type(node).__name__) for node in graph.nodes())
    broken = [n for n, k in kinds if (k == "Package" and n.code is None) or k.startswith("Invalid")]
    todo = [n for n in graph.nodes() if type(n).__name__ == "Script"] if broken else []
    seen = set()  # by the program itself
    while todo:
        node = todo.pop()
        if node not in seen and node.identifier not in state.modules:
            seen.add(node)
            todo += graph.outgoing(node)
    yield from (node for node in broken if node not in seen)


def _written_folder(analysis: Any) -> Path | None:
    """The folder of hooks that the entry point has made for this environment."""
    from rustext.freezing.pyinstaller.hook_cache import OTHERS_FILE  # noqa: PLC0415

    for entry in analysis.hookspath:
        folder = Path(entry if isinstance(entry, str) else entry[0])
        if (folder / OTHERS_FILE).is_file():
            return folder
    return None


def _iter_extensions(state: State) -> Iterator[tuple[str, Path]]:
    """The extension modules in the program that are not the standard library's."""
    env = state.session.build.planner.env
    for node in list(state.graph.nodes()):
        if type(node).__name__ in _EXTENSIONS and node.filename:
            path = Path(node.filename)
            if env.site_of(path) is not None:
                yield str(node.identifier), path


def _is_ours(state: State, path: Path) -> bool:
    """Whether rustext looks after a file; what cannot be read has been named by `complete`."""
    from rustext.errors import RustextError  # noqa: PLC0415  (as above)

    planner = state.session.build.planner
    try:
        return planner.covers(planner.catalogue.read_file(path))
    except RustextError:
        return False


def _ask_for_selftest(state: State, written: Path | None, analysis: Any) -> None:
    """Build in the self-test where the entry point could not know that it is asked for."""
    from rustext.plan.selftest import entry_source  # noqa: PLC0415  (few ask for one)

    from .bundle_files import work_folder  # noqa: PLC0415

    known = written is not None and (written / "rthooks.dat").is_file()
    if state.session.wants_selftest and not known:
        hook = work_folder() / "pyi_rth_rustext_selftest.py"
        hook.write_text(entry_source(), encoding="utf-8")
        analysis.custom_runtime_hooks = [*analysis.custom_runtime_hooks, str(hook)]


def _see_changes(state: State, analysis: Any) -> None:
    """Have the next build analyse the program again where PyInstaller would not see a change.

    It does that for another value of an option. The configuration counts in the name of the folder
    that the entry point answers with where that begins to look in the same folder: not for a script
    in a package, or that is a link. A report is to be written by each build.
    """
    from PyInstaller.config import CONF  # noqa: PLC0415  (set during a build)

    known = os.pathsep.join(CONF["pathex"][:1]).split(os.pathsep)[0]  # of `PYTHONPATH`, there
    if os.path.realpath(known) != str(state.folder) or state.session.options.report is not None:
        _analyse_again(analysis)


def _analyse_again(analysis: Any) -> None:
    analysis.hooksconfig = {**analysis.hooksconfig, "rustext": {"analyse": "again"}}


@own_imports()
def _say_what_was_done(state: State) -> None:
    """The last line of a build; it names the program where there are several."""
    several = len(states) > 1
    about = f"{state.script.name}: " if several and state.script is not None else ""
    try:
        if state.error is not None:
            _logger.warning("rustext: nothing was added to this program: %r", state.error)
            return
        from rustext.freezing.build import count  # noqa: PLC0415

        from .module_hook import in_graph  # noqa: PLC0415

        found = [name for name, path in _iter_extensions(state) if _is_ours(state, path)]
        for name in found:
            if name not in state.hooked:
                _logger.warning(
                    "rustext: nothing was added for %s, which another hook brought in last; "
                    "add --hidden-import %s",
                    name,
                    name,
                )
        for fault in state.session.build.planner.env.faults:
            _logger.warning("rustext: %s", fault)
        for hint in state.session.build.hints:
            _logger.info("rustext: %s", hint)
        modules = [name for name in state.modules if in_graph(state.graph, name)]
        if found or modules or state.files:
            _logger.info("rustext: %s%s", about, count(len(found), len(modules), len(state.files)))
        else:
            _logger.info("rustext: %sno Rust extension is imported; nothing was added", about)
    except Exception as error:  # noqa: BLE001  (the bundle is finished)
        _logger.warning("rustext: what was added cannot be counted: %r", error)
