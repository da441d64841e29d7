"""What a program writes while it runs is in neither bundle."""

from __future__ import annotations

from pathlib import Path

import pytest
from compiling import Compile
from environments import write_files

from rustext.cli.main import run

OWN = "int own(void) { return 0; }"
MAIN = """
#include <stdio.h>
#include <unistd.h>
int own(void);
int main(void) {
    char path[4096];
    path[readlink("/proc/self/exe", path, 4000)] = 0;
    char *name = path;
    for (char *at = path; *at; at++) if (*at == '/') name = at;
    *name = 0;
    chdir(path);
    FILE *log = fopen("log.txt", "r+");
    if (!log) return 3;
    fputs("started", log);
    fclose(log);
    return own();
}
"""


@pytest.mark.parametrize("options", ["--dry-run", "--in-place", "-o"])
@pytest.mark.parametrize("broken", [True, False])
def test_a_run_leaves_nothing(options: str, broken: bool, tmp_path: Path, gcc: Compile) -> None:
    own = gcc("libown.so.1", OWN, "-shared", "-fPIC", "-Wl,-soname,libown.so.1")
    path = "$ORIGIN:/opt/nowhere/lib" if broken else "$ORIGIN"
    bundle = tmp_path / "app.dist"
    program = gcc("app", MAIN, str(own), f"-Wl,-rpath,{path}")
    write_files(bundle, {"app": program, "libown.so.1": own, "log.txt": b"as it was"})
    (bundle / "app").chmod(0o755)
    where = [options, *([str(tmp_path / "new")] if options == "-o" else [])]
    assert run(["repair", str(bundle), *where, "--run", "-qq"]) == 0
    logs = [path.read_text() for path in tmp_path.rglob("log.txt")]
    assert logs == ["as it was"] * (2 if options == "-o" else 1)
