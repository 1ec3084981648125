"""What a pass of any kind claims, in the terms in which a gate judges it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PassClaim:
    """The claims of a pass: of our own, an EU certificate, or a pass of New Zealand.

    Attributes:
        kind: the purpose that its signer's key must have, such as "pass" or "dcc-test".
        issuer: who issued it; "" if it names nobody.
        not_before: epoch seconds.
        expires: epoch seconds.
        marks: what a list of revoked passes would have of it.
        early_s: how long before ``not_before`` it counts, for clocks that differ.
        hint: what it says of its holder in a few characters, or None.
        in_force: when its content is in force (from, until), epoch seconds; a recovery has a span
            of its own.
        fault: a code of ``verdicts.REASONS`` for a content that never admits, or None.
    """

    kind: str
    issuer: str
    not_before: float
    expires: float
    marks: tuple[bytes, ...] = field(repr=False)
    early_s: int = 0
    hint: str | None = None
    in_force: tuple[float, float] | None = None
    fault: str | None = None
