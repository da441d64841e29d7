"""Builds that are killed, that find no room, and that share a cache: what is answered afterwards.

Each trial has an answer from an empty cache to compare with: the plan of the program, and the hooks
that are written for PyInstaller.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from fault_rooms import PROGRAM, Room
from kept_rows import Row

KILLS = 25  # in each of two trials
PROCESSES = 16
ROUNDS = 5
BUILDS = 5  # each so many kills, a build goes to its end
SIZES = (*(f"size={n}k" for n in (4, 12, 20, 32, 48, 64, 80, 96, 128)),
         *(f"nr_inodes={n}" for n in (2, 4, 8, 16)))  # fmt: skip
BUILT = {"size=4k", "size=48k", "size=96k", "nr_inodes=8"}  # where a build is made as well
HOOKS = """
import hashlib, pathlib, rustext_hooks
for folder in map(pathlib.Path, rustext_hooks.get_hook_dirs()[2:]):
    for file in sorted(folder.rglob("*.*")):
        print(file.name, hashlib.sha256(file.read_bytes()).hexdigest())
"""


class Trial:
    """One program, and what was wrong of what rustext has said of it."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.cache = room.folder / "cache"
        (room.folder / "app.py").write_text(PROGRAM)
        self.expected = self.answers()
        self.wrong: list[str] = []
        if "hook-ormsgpack.ormsgpack.py" not in self.expected[1] or not self.expected[0]:
            self.wrong.append("there is nothing to compare with")

    def answers(self) -> tuple[str, str]:
        plan = ["-m", "rustext", "plan", "--json", str(self.room.folder / "app.py")]
        return self.room.ask(*plan).stdout, self.room.ask("-c", HOOKS).stdout

    def compare(
        self, when: str, answers: tuple[str, str] | None = None, *, no_hooks: bool = False
    ) -> None:
        """Note answers that are not as they have to be; builds work without hooks, too."""
        plan, hooks = answers or self.answers()
        if plan != self.expected[0]:
            self.wrong.append(f"{when}: another plan: {plan[-200:] or 'nothing'}")
        if hooks != self.expected[1] and (hooks or not no_hooks):
            self.wrong.append(f"{when}: other hooks: {hooks[-200:] or 'nothing'}")

    def build(self, when: str) -> None:
        """Build the program to the end, and run it."""
        shutil.rmtree(self.room.folder / self.room.name / "dist", ignore_errors=True)
        done = self.room.build(rustext=True)
        if done.returncode:
            self.wrong.append(f"{when}: the build fails: {done.stderr[-200:]}")
        elif failure := self.room.failure():
            self.wrong.append(f"{when}: {failure}")

    def empty_cache(self) -> None:
        shutil.rmtree(self.cache, ignore_errors=True)

    def row(self, figures: str) -> Row:
        return {"figures": figures, "wrong": "; ".join(self.wrong)}


def killed(trial: Trial, *, seed: int) -> Row:
    """Kill builds and all their processes at random moments, each with an empty cache."""
    chance = random.Random(seed)
    begin = time.monotonic()
    trial.build("before")
    whole = time.monotonic() - begin
    left = 0
    for number in range(1, KILLS + 1):
        trial.empty_cache()
        shutil.rmtree(trial.room.folder / trial.room.name, ignore_errors=True)
        moment = chance.uniform(0, whole)
        process = trial.room.start_build()
        time.sleep(moment)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        left += process.wait() == -signal.SIGKILL
        when = f"killed after {moment:.2f} s"
        trial.compare(when)
        if number % BUILDS == 0:
            trial.build(when)
    return trial.row(
        f"{KILLS} moments of {whole:.0f} s, {left} of them before the end; {KILLS} plans and hook "
        f"runs, {KILLS // BUILDS} builds after them"
    )


def full_disk(trial: Trial) -> Row:
    """Have cache and TMPDIR on a disk without room, and later with room."""
    trial.room = replace(trial.room, variables={"TMPDIR": str(trial.cache)})
    for size in SIZES:
        trial.empty_cache()
        with mounted(trial.cache, size):
            trial.compare(size, no_hooks=True)
            if size in BUILT:
                trial.build(size)
            subprocess.run(
                ["mount", "-o", "remount,size=1g,nr_inodes=10k", trial.cache], check=True
            )
            trial.compare(f"{size}, later")
    return trial.row(
        f"{len(SIZES)} disks of 4 to 128 KiB, or of 2 to 16 files, {len(BUILT)} builds"
    )


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A small disk at a folder; only root can have one."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def many_questions(trial: Trial) -> Row:
    """Ask in many processes at once, each time with an empty cache."""
    for _ in range(ROUNDS):
        trial.empty_cache()
        with ThreadPoolExecutor(PROCESSES) as pool:
            for answers in pool.map(lambda _: trial.answers(), range(PROCESSES)):
                trial.compare("at once", answers)
        trial.compare("afterwards")
    return trial.row(f"{ROUNDS} times {PROCESSES} processes with a plan and a hook run each")


def many_builds(trial: Trial) -> Row:
    """Build in many processes at once."""
    trial.empty_cache()
    rooms = [replace(trial.room, name=f"out-{number}") for number in range(PROCESSES)]
    with ThreadPoolExecutor(PROCESSES) as pool:
        done = list(pool.map(lambda room: room.build(rustext=True), rooms))
    for room, built in zip(rooms, done, strict=True):
        if failure := built.stderr[-200:] if built.returncode else room.failure():
            trial.wrong.append(failure)
    trial.compare("afterwards")
    return trial.row(f"{PROCESSES} builds, {PROCESSES} programs run")


def damaged(trial: Trial) -> Row:
    """Damage what is cached: cut it, flip a bit of it, put something else into its place."""
    chance = random.Random(0)
    trial.build("before")
    entries = [path for path in trial.cache.rglob("*.jsonl") if path.is_file()]
    count = 0
    for entry in entries:
        content = entry.read_bytes()
        place = chance.randrange(len(content))
        flipped = bytearray(content)
        flipped[place] ^= 1 << chance.randrange(8)
        for other in (content[:place], bytes(flipped), b"", b"{}\n", content * 2, content[::-1]):
            entry.write_bytes(other)
            trial.compare(f"{entry.name} was damaged")
            count += 1
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:-1])
    trial.build("all entries were damaged")
    return trial.row(f"{count} times, in {len(entries)} files; then all at once")


TRIALS: dict[str, Callable[[Trial], Row]] = {
    "killed at 25 random moments": lambda trial: killed(trial, seed=1),
    "killed at 25 other moments": lambda trial: killed(trial, seed=2),
    "a full disk for cache and TMPDIR": full_disk,
    f"{PROCESSES} processes at once": many_questions,
    f"{PROCESSES} builds at once": many_builds,
    "damaged entries of the cache": damaged,
}
