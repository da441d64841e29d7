"""Answer `-m MODULE`, `-c CODE` and scripts where a program starts `sys.executable` as if Python.

PyInstaller puts this text ahead of the program as a run-time hook where some source starts Python
so. In a bundle, `sys.executable` is the program, which would start itself for ever. Only a process
that the program itself has started is answered, as PyInstaller does it for `multiprocessing`
(https://pyinstaller.org/en/stable/common-issues-and-pitfalls.html#multi-processing). A script is
run if it lies in the bundle: any other file may be what the program is asked to open.
"""


def _answer() -> None:
    import os  # noqa: PLC0415  (as in PyInstaller's own)
    import sys  # noqa: PLC0415

    mark = "_RUSTEXT_STARTED_BY"
    own = os.path.realpath(sys.executable)
    words = [*sys.argv[1:]]
    parent, _, rest = os.environ.get(mark, "").partition("\n")
    depth, _, before = rest.partition("\n")
    bundle = getattr(sys, "_MEIPASS", "")
    script = words[0] if words and words[0].endswith(".py") else ""
    now = repr([".py"] if script else words)  # whatever files it is started with
    count = int(depth) + 1 if parent == own and before == now else 0
    os.environ[mark] = f"{own}\n{count}\n{now}"
    if parent != own:
        return
    while words and words[0].startswith("-") and words[0] not in {"-m", "-c"}:
        option = words.pop(0)
        if option in {"-W", "-X"} and words:
            words.pop(0)
        elif not set(option[1:]) <= set("bBdEiIOPqRsSuvx") and option[:2] not in {"-W", "-X"}:
            return  # an option of the program's own
    if len(words) > 1 and words[0] == "-m":
        _run_module(words[1], words[1:])
    elif len(words) > 1 and words[0] == "-c" and "from multiprocessing." not in words[1]:
        sys.argv = ["-c", *words[2:]]
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
        sys.exit(0)
    elif (
        script and bundle and os.path.realpath(script).startswith(os.path.realpath(bundle) + os.sep)
    ):
        _run_script(script, words)
    elif count > 3:
        sys.exit(f"{own} starts itself over and over as if it were Python: {sys.argv[1:]}")


def _run_script(script: str, words: list[str]) -> None:
    import os  # noqa: PLC0415
    import runpy  # noqa: PLC0415
    import sys  # noqa: PLC0415

    sys.argv = list(words)
    sys.path.insert(0, os.path.realpath(script).rpartition(os.sep)[0])
    runpy.run_path(script, run_name="__main__")
    sys.exit(0)


def _run_module(name: str, words: list[str]) -> None:
    import importlib.util  # noqa: PLC0415
    import runpy  # noqa: PLC0415
    import sys  # noqa: PLC0415

    try:
        found = importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        found = False
    if not found:
        sys.exit(f"{sys.executable} is no Python, and has no module {name!r} to run with -m")
    sys.argv = list(words)
    runpy.run_module(name, run_name="__main__", alter_sys=True)
    sys.exit(0)


_answer()
