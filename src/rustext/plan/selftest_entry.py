"""What answers in a frozen program when `RUSTEXT_SELFTEST` is set; built in on request alone.

In: `rustext-selftest.txt` next to the program's modules, one module a line. Out: each module's
import, as JSON on stdout, and the exit code: 0 if all could be imported, 1 otherwise. The text of
this file becomes a part of the program. It imports only what Python has imported by then: a
self-test that brought `json` along would not find out that native code misses it.
"""
# ruff: noqa: BLE001, PLC0415, PTH100, PTH118, PTH120, PTH123  (no imports, no promises)


def _rustext_selftest() -> None:
    import os
    import sys

    if not os.environ.get("RUSTEXT_SELFTEST"):
        return
    folder = getattr(sys, "_MEIPASS", None) or os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(folder, "rustext-selftest.txt"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    answer = os.dup(1)
    os.dup2(2, 1)  # what modules print while they are imported is no part of the answer

    def say(text: str) -> None:
        os.write(answer, text.encode("ascii", "backslashreplace"))

    failed = False
    say('{"selftest": [')
    for number, line in enumerate(lines):
        kind, _, name = line.partition(" ")
        say(f'{"," if number else ""}\n{{"module": "{name}", "kind": "{kind}", "error": ')
        try:
            __import__(name)
        except BaseException as error:
            failed = True
            text = f"{type(error).__name__}: {error}".encode("ascii", "backslashreplace")
            shown = text.decode("ascii").replace("\\", "\\\\").replace('"', '\\"')
            say('"' + "".join(max(c, " ") for c in shown) + '"}')
        else:
            say("null}")
    say("\n]}\n")
    os._exit(1 if failed else 0)  # a thread that an import has started is not waited for


_rustext_selftest()
del _rustext_selftest
