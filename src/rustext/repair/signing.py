"""Sign code for macOS again after it was changed, and seal an application, ad hoc.

In: files of a copy. Out: the same files, signed with what this machine has for that. Whatever has a
certificate's signature is left to whoever has the certificate.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from rustext.environment.child_process import run
from rustext.errors import ForeignProcessError, InvalidBinary, UnreadableFile
from rustext.formats.binary import open_binary
from rustext.formats.macho.code_signature import parse_signature
from rustext.model.findings import Finding
from rustext.model.repair import Repair, SealApplication, Unrepaired
from rustext.repair.case import Proposal
from rustext.repair.owners import settle
from rustext.verify.common_findings import SEAL, broken_seal
from rustext.verify.subject import Subject

_SECONDS = 120  # for a tool that signs
# PyInstaller seals what it makes with `--deep` too (`PyInstaller.utils.osx.sign_binary`).
_TOOLS = (
    ("codesign", ["--force", "--deep", "--preserve-metadata=entitlements", "--sign", "-"]),
    ("rcodesign", ["sign"]),
)


class CannotSeal(ForeignProcessError):
    """No program of this machine seals an application."""


def sign(path: Path) -> str | None:
    """Sign a Mach-O file or an application ad hoc; returns why that was not done."""
    for name, arguments in _TOOLS:
        tool = shutil.which(name)
        if tool is not None:
            done = run([tool, *arguments, str(path)], timeout=_SECONDS, patient=True)
            said = done.stderr.strip().splitlines()[-1:] or [f"it ends with {done.code}"]
            return f"{name} does not sign it: {said[0][:200]}" if done.code else None
    return "codesign and rcodesign are not installed"


def signer_of(path: Path) -> str | None:
    """The signer of a Mach-O file that is signed with a certificate, else None."""
    with contextlib.suppress(InvalidBinary, UnreadableFile), open_binary(path) as (binary, data):
        for image in binary.images:
            with contextlib.suppress(InvalidBinary):
                signature = parse_signature(data, image)
                if signature is not None and not signature.ad_hoc:
                    return f"team {signature.team}" if signature.team else "a certificate"
    return None


def propose_seal(
    subject: Subject, before: Sequence[Finding], done: Sequence[Repair]
) -> tuple[Proposal, ...]:
    """What is to be done about the seal of an application, after all other repairs.

    A seal lists all files, so any repair breaks it. `before` are the findings on the bundle as it
    was, and `subject` is as it is now. Nothing where there is no seal, or a whole one.
    """
    bundle = subject.bundle
    name = subject.inside(bundle.root / SEAL)
    broken = next((f for f in before if f.id == "signature" and f.subject == name), None)
    if broken is None and not (done and (bundle.root / SEAL).is_file()):
        return ()
    signers = {signer for path, _ in bundle.files if (signer := signer_of(path)) is not None}
    finding = broken or broken_seal(subject, ad_hoc=not signers)
    if signers:
        by = ", ".join(sorted(signers))
        command = f"`codesign --force --deep --sign IDENTITY {shlex.quote(bundle.root.name)}`"
        return (Unrepaired(finding=finding, reason=f"{by} has to sign it again: {command}"),)
    what = "sealed again, ad hoc as before"
    place = PurePosixPath(SEAL)
    return (Repair(finding=finding, place=place, change=SealApplication(), what=what),)


def find_broken_seal(
    subject: Subject, findings: Sequence[Finding], unrepaired: Sequence[Unrepaired]
) -> tuple[Finding, ...]:
    """The finding on a seal that repairs have broken, where `findings` has none on it."""
    name = subject.inside(subject.bundle.root / SEAL)
    known = any(f.id == "signature" and f.subject == name for f in findings)
    return () if known else tuple(u.finding for u in unrepaired if u.finding.subject == name)


def seal(root: Path) -> None:
    """Seal an application in a copy, ad hoc; raises `CannotSeal` where this machine cannot."""
    for path in root.rglob("*"):
        # The tools write into files, which may be the old bundle's under second names.
        if path.is_file() and not path.is_symlink() and path.stat().st_nlink > 1:
            with tempfile.TemporaryDirectory(prefix=".rustext-", dir=path.parent) as room:
                new = Path(room, path.name)
                shutil.copy2(path, new)
                settle(new, path.lstat(), own=True)
                new.replace(path)
    if why := sign(root):
        command = f"codesign --force --deep --sign - {shlex.quote(root.name)}"
        raise CannotSeal(f"{root.name} is not sealed: {why}", hint=f"`{command}` on a Mac")
