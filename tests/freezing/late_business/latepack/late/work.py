"""Late business of the kinds that programs have."""

import importlib
import inspect
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).parent


def choose() -> str:
    setting = (HERE / "settings.cfg").read_text().split()[-1]
    return importlib.import_module(f"{__package__}.{setting}").NAME


def rules() -> list[str]:
    names = sorted(p.stem for p in (HERE / "rules").glob("r*.py"))
    return [importlib.import_module(f"{__package__}.rules.{name}").RULE for name in names]


def packs() -> list[str]:
    names = sorted(p.name for p in (HERE / "packs").iterdir() if p.is_dir() and p.name[0] == "p")
    return [importlib.import_module(f"{__package__}.packs.{name}").WORD for name in names]


def tables() -> list[str]:
    return [p.read_text().strip() for p in sorted((HERE / "tables").iterdir()) if p.stem == "t"]


def plugins() -> list[str]:
    found = metadata.entry_points().select(group="late.plugins")
    return [point.load()() for point in found]


def version() -> str:
    return metadata.version("rustext-" + HERE.name + "pack")


def shown() -> str:
    return inspect.getsource(choose).splitlines()[0]


def named(name: str) -> str:
    return sys._getframe(1).f_locals[name]


def is_same(function: Callable[..., object], other: Callable[..., object]) -> bool:
    """Bytecode tells functions apart, and compiled ones have none."""
    codes = [f.__code__.co_code for f in (function, other)]
    return codes[0] == codes[1]
