"""Find Mach-O files that macOS will not load or run for their signature.

In: a `Subject`. Out: the finding `signature`. All code on arm64 has to be signed, and is killed
when a page differs from its hash; code for x86_64 need not be, and a wrong signature matters to
Gatekeeper and to hardened programs alone
(https://developer.apple.com/documentation/macos-release-notes/macos-big-sur-11_0_1-universal-apps-release-notes).
Certificates are not judged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from rustext.errors import InvalidBinary, UnreadableFile
from rustext.formats.binary import open_binary
from rustext.formats.macho.code_signature import CodeSignature, iter_damage, parse_signature
from rustext.formats.reader import Buffer
from rustext.model.findings import Finding, Severity
from rustext.model.image import Format, Image, ImageKind
from rustext.verify.subject import Subject

_SIGN_AGAIN = "sign it again after its last change: `codesign --force --sign - FILE`"
_SIGN = "sign it: `codesign --sign - FILE`"
_SIGN_ALL = "sign all files with one identity, libraries first: `codesign --sign IDENTITY FILE`"
_NOTARISE = "before others download it, sign it with a Developer ID and have it notarised"
_MAX_SHOWN = 5  # changed pages that a finding lists


def check_signatures(subject: Subject) -> Iterator[Finding]:
    """Judge each slice of each Mach-O file, and then what the program asks of its libraries."""
    bundle = subject.bundle
    signers: dict[Path, CodeSignature | None] = {}
    for path, file in bundle.files:
        images = [i for i in file.binary.images if i.format is Format.MACHO]
        if images and images[0].kind is not ImageKind.OTHER:
            # what cannot be read has its own finding
            with (
                contextlib.suppress(InvalidBinary, UnreadableFile),
                open_binary(path) as (binary, data),
            ):
                for image in binary.images:
                    yield from _judge_image(subject.inside(path), image, data)
                with contextlib.suppress(InvalidBinary):
                    signers[path] = parse_signature(data, binary.image)
    if bundle.program is not None and bundle.program.path in signers:
        program = bundle.program.path
        yield from _judge_program(subject.inside(program), signers[program])
        for path, signature in signers.items():
            yield from _judge_signer(subject.inside(path), signature, signers[program])


def _judge_image(name: str, image: Image, data: Buffer) -> Iterator[Finding]:
    enforced = image.architecture.startswith("arm64")
    severity = Severity.ERROR if enforced else Severity.WARNING
    try:
        signature = parse_signature(data, image)
    except InvalidBinary as error:
        yield _finding(name, image, "has a signature that cannot be read", str(error), severity)
        return
    if signature is None:
        if enforced:
            yield Finding(
                id="signature",
                severity=Severity.ERROR,
                subject=name,
                message=f"`{name}` ({image.architecture}) is not signed, and will not be loaded",
                evidence=(("load command", "no LC_CODE_SIGNATURE"),),
                hint=_SIGN,
            )
        return
    damage = list(iter_damage(data, image, signature))
    if damage:
        more = [f"{len(damage) - _MAX_SHOWN} more"] if len(damage) > _MAX_SHOWN else []
        shown = [*damage[:_MAX_SHOWN], *more]
        yield _finding(name, image, "is not what was signed", "\n".join(shown), severity)


def _finding(name: str, image: Image, what: str, evidence: str, severity: Severity) -> Finding:
    return Finding(
        id="signature",
        severity=severity,
        subject=name,
        message=f"`{name}` ({image.architecture}) {what}",
        evidence=tuple(("signature", line) for line in evidence.splitlines()),
        hint=_SIGN_AGAIN,
    )


def _judge_program(name: str, signature: CodeSignature | None) -> Iterator[Finding]:
    """Say that the program has no signature of a developer."""
    if signature is None or signature.ad_hoc:
        by = "the linker" if signature is not None and signature.linker_signed else "codesign"
        how = "is not signed" if signature is None else f"is signed ad hoc, by {by}"
        yield Finding(
            id="signature",
            severity=Severity.NOTE,
            subject=name,
            message=f"`{name}` {how}: nobody answers for it",
            hint=_NOTARISE,
        )


def _judge_signer(
    name: str, signature: CodeSignature | None, program: CodeSignature | None
) -> Iterator[Finding]:
    """A hardened program loads libraries of its own team only; one of no team loads none."""
    if program is None or not program.validates_libraries or signature is program:
        return
    team = signature.team if signature is not None and not signature.ad_hoc else None
    own = None if program.ad_hoc else program.team
    if team is None or team != own:
        yield Finding(
            id="signature",
            severity=Severity.ERROR,
            subject=name,
            message=f"`{name}` is not signed by the program's team, and will not be loaded",
            evidence=(
                ("program", f"hardened run-time, {f'team {own}' if own else 'signed ad hoc'}"),
                ("file", f"team {team}" if team else "signed ad hoc or not at all"),
            ),
            hint=f"{_SIGN_ALL}, or give the program the entitlement "
            "`com.apple.security.cs.disable-library-validation`",
        )
