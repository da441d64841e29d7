"""Answer `-m MODULE` and `-c CODE` in a program that starts `sys.executable` as if it were Python.

PyInstaller puts this text ahead of the program as a run-time hook where some source starts Python
so. In a bundle, `sys.executable` is the program, which would start itself for ever. Only a process
that the program itself has started is answered, as PyInstaller does it for `multiprocessing`
(https://pyinstaller.org/en/stable/common-issues-and-pitfalls.html#multi-processing).
"""


def _answer() -> None:
    import os  # noqa: PLC0415  (as in PyInstaller's own)
    import sys  # noqa: PLC0415

    mark = "_RUSTEXT_STARTED_BY"
    own = os.path.realpath(sys.executable)
    words = [*sys.argv[1:]]
    parent, _, rest = os.environ.get(mark, "").partition("\n")
    depth, _, before = rest.partition("\n")
    now = repr(words)
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
    elif count > 3:
        sys.exit(f"{own} starts itself over and over as if it were Python: {sys.argv[1:]}")


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
