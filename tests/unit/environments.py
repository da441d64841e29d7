"""Environments made of real folders, as an installer would leave them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from rustext.environment.environment import Environment, this_interpreter

Files = Mapping[str, "str | bytes | Path"]


def write_files(folder: Path, files: Files) -> None:
    """Write files below a folder; a `Path` is copied."""
    for name, content in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            target.write_text(content, encoding="utf-8")
        else:
            target.write_bytes(content.read_bytes() if isinstance(content, Path) else content)


def install(
    site: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Files | None = None,
    requires: Iterable[str] = (),
    extra_metadata: str = "",
) -> Path:
    """Install a distribution; return its `.dist-info` folder."""
    files = files or {}
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    own = {f"{info}/METADATA": "\n".join(lines) + f"\n{extra_metadata}", f"{info}/INSTALLER": "pip"}
    record = "".join(f"{path},,\n" for path in (*files, *own, f"{info}/RECORD"))
    write_files(site, {**files, **own, f"{info}/RECORD": record})
    return site / info


def environment(
    *sites: Path, stdlib: Iterable[Path] | None = None, markers: Mapping[str, str] | None = None
) -> Environment:
    """An environment of these folders, with the running interpreter's standard library."""
    facts = this_interpreter()
    return Environment(
        replace(
            facts,
            path=tuple(map(str, sites)),
            stdlib=facts.stdlib if stdlib is None else tuple(map(str, stdlib)),
            markers={**facts.markers, **(markers or {})},
        )
    )
