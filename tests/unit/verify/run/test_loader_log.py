"""What the loader logs is read in bounded room, whoever wrote it. ld.so itself is the source."""

from __future__ import annotations

import shutil
import subprocess
import tracemalloc
from pathlib import Path

import pytest
from compiling import Compile

from rustext.verify.run import loader_log
from rustext.verify.run.isolated_run import run_isolated
from rustext.verify.run.loader_log import read_logs

# Opens its second argument as often as the first one says, and then the third.
OPENS = """
#include <dlfcn.h>
#include <stdlib.h>
int main(int count, char **args) {
    for (int i = atoi(args[1]); i > 0; i--) dlclose(dlopen(args[2], RTLD_NOW));
    return dlopen(args[3], RTLD_NOW) ? 0 : 1;
}
"""


@pytest.mark.heavy
def test_a_log_without_end_is_read_in_little_room(tmp_path: Path, gcc: Compile) -> None:
    names = ("again", "last")
    libraries = [gcc(f"lib{name}.so", "int x;", "-shared", "-fPIC") for name in names]
    command = [str(gcc("opens", OPENS)), "10000", *map(str, libraries)]
    env = {"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": str(tmp_path / "loader")}
    subprocess.run(command, env=env, check=True, timeout=60)
    (log,) = tmp_path.glob("loader.*")
    again = b"".join(line for line in log.read_bytes().splitlines(True) if b"again" in line)
    log.write_bytes(again * 50 + log.read_bytes())
    tracemalloc.start()
    found, _ = read_logs(tmp_path, (Path("/"),), "")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [path for path in found if path in libraries] == libraries
    assert len(found) < 10
    assert log.stat().st_size > 10 * peak


@pytest.mark.heavy
def test_no_more_than_so_much_of_all_logs_is_read(tmp_path: Path) -> None:
    """The program can write there too: here a file of ten terabytes."""
    (tmp_path / "loader.1").write_text("  1:\tcalling init: /lib/liba.so\n")
    with (tmp_path / "loader.2").open("w") as stream:
        stream.write("  2:\tcalling init: /lib/libb.so\n")
        stream.truncate(10 << 40)
    (tmp_path / "loader.3").mkdir()
    found, _ = read_logs(tmp_path, (), "")
    assert found == (Path("/lib/liba.so"), Path("/lib/libb.so"))


def test_a_line_that_is_cut_between_two_pieces_is_read(tmp_path: Path) -> None:
    names = [f"/lib/lib{number}.so" for number in range(100_000 // 16)]
    lines = "".join(f"  1:\tcalling init: {name}\n  1:\t\n" * 16 for name in names)
    assert len(lines) > 3 * loader_log._PIECE
    (tmp_path / "loader.1").write_text(lines.rstrip())
    found, _ = read_logs(tmp_path, (), "")
    assert list(map(str, found)) == names


def test_a_path_with_spaces_is_named_whole(tmp_path: Path, gcc: Compile) -> None:
    """A library of the host's, and the bundle itself, may stand in any folder."""
    program = gcc("opens", OPENS)
    bundle, host = tmp_path / "my app", tmp_path / "my libraries"
    for folder in (bundle, host):
        folder.mkdir()
    shutil.copy(program, bundle / "my program")
    library = shutil.copy(gcc("libmine.so", "int x;", "-shared", "-fPIC"), host)
    run = run_isolated(bundle, bundle / "my program", ["0", "", str(library)])
    assert run.code == 0, run.stderr
    assert Path(library) in run.libraries
