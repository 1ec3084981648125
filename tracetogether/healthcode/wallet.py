"""The wallet of a phone: passes fetched together, which of them were shown, and which comes next.

Each pass has its own number, so two showings can't be linked unless the phone shows one pass twice.
The wallet takes a random pass of the hour that was not shown yet. It shows one again only if all of
the hour were shown. It works for a day without the server.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from tracetogether.errors import StoreError, UnreadableMessageError
from tracetogether.healthcode.passes import Pass
from tracetogether.parameters import PASSES
from tracetogether.signed import cose, hcert
from tracetogether.signed.claims import read_claims
from tracetogether.units import Entropy

_VERSION: Final = 1


def held_pass(text: str) -> "HeldPass":
    """Return a pass as the authority sends it; its signature is not checked here.

    Raises:
        UnreadableMessageError: the text holds no pass of ours.
    """
    message = cose.read(hcert.from_text(text))
    read = Pass.from_claims(read_claims(message.payload, most_bytes=hcert.MOST_BYTES))
    if read is None:
        raise UnreadableMessageError("the text holds no pass", "unknown-kind")
    return HeldPass(text, read.number.hex(), read.not_before, read.expires)


@dataclass(frozen=True, slots=True)
class HeldPass:
    """A pass as a phone holds it.

    Attributes:
        text: what the QR code holds, ``HC1:`` and so on.
        number: 16 hexadecimal digits; the same pass fetched again has the same number.
        not_before, expires: epoch seconds; valid in [not_before, expires).
        shown: how often it was shown.
    """

    text: str = field(repr=False)
    number: str = field(repr=False)
    not_before: int
    expires: int
    shown: int = 0


@dataclass(frozen=True, slots=True)
class FetchedPasses:
    """The authority's answer to a phone that asked for passes.

    Attributes:
        notice: what the person reads: ``{"notice": code, "parameters": {...}}``.
        passes: passes for a day; empty if they are withheld.
        refresh_at: epoch seconds from which the phone should ask again.
    """

    notice: Mapping[str, Any]
    passes: tuple[HeldPass, ...] = field(repr=False)
    refresh_at: int

    @classmethod
    def from_json(cls, answer: object) -> Self:
        """Read the answer of ``POST /v1/passes``.

        Raises:
            UnreadableMessageError: a field is missing or of the wrong kind.
        """
        match answer:
            case {
                "notice": {"notice": str(), "parameters": dict()} as notice,
                "passes": list() as texts,
                "refresh_time": int() as refresh_at,
            } if all(isinstance(text, str) for text in texts):
                return cls(notice, tuple(map(held_pass, texts)), refresh_at)
        msg = "the server's answer holds no passes: check its address and version"
        raise UnreadableMessageError(msg, "no-passes")


@dataclass(frozen=True, slots=True)
class Wallet:
    """The passes of one person on a phone.

    Attributes:
        held: the passes, by time.
        refresh_at: epoch seconds from which a new batch should be fetched.
        notice: the authority's latest notice as it answered, such as ``{"notice": "pass.green"}``.
    """

    held: tuple[HeldPass, ...] = ()
    refresh_at: int = 0
    notice: Mapping[str, Any] = field(default_factory=dict)

    def renewal_due(self, now: float) -> bool:
        """Return whether a new batch should be fetched at ``now``.

        That is so from ``refresh_at`` on, and without a pass of this hour.
        """
        return now >= self.refresh_at or not self.valid(now)

    def valid(self, now: float) -> tuple[HeldPass, ...]:
        """Return the passes to show at ``now``: from two minutes before the hour, the next hour's.

        A gate takes a pass a little before its hour and never after it, so that the clocks of
        phone and gate may differ by two minutes.
        """
        for at in (now + PASSES.clock_skew_s, now):
            found = tuple(held for held in self.held if held.not_before <= at < held.expires)
            if found:
                return found
        return ()

    def choose(self, now: float, *, entropy: Entropy = os.urandom) -> tuple[HeldPass | None, Self]:
        """Return a pass to show at ``now``, and the wallet that has noted this.

        Save the wallet before you show the pass: after a crash it is then not shown again.

        Args:
            now: epoch seconds.
            entropy: source of the random choice.

        Returns:
            (None, the same wallet) if none is valid.
        """
        valid = self.valid(now)
        if not valid:
            return None, self
        fewest = min(held.shown for held in valid)
        candidates = [held for held in valid if held.shown == fewest]
        chosen = candidates[int.from_bytes(entropy(8), "big") % len(candidates)]
        marked = replace(chosen, shown=chosen.shown + 1)
        held = tuple(marked if each is chosen else each for each in self.held)
        return chosen, replace(self, held=held)

    def with_fetched(self, fetched: FetchedPasses, now: float) -> Self:
        """Return a wallet that holds what the authority answered, without expired passes.

        A pass that was held before stays as it was, and stays marked as shown: the authority
        issues the same numbers for the same hour again. If passes are withheld, none stays.
        """
        held: tuple[HeldPass, ...] = ()
        if fetched.passes:
            known = {old.number: old for old in self.held if old.expires > now}
            fresh = {new.number: known.get(new.number, new) for new in fetched.passes}
            found = {**known, **fresh}.values()
            held = tuple(sorted(found, key=lambda each: (each.not_before, each.number)))
        return replace(self, held=held, refresh_at=fetched.refresh_at, notice=fetched.notice)

    def to_json(self) -> dict[str, object]:
        """Return what ``from_json`` reads."""
        return {
            "version": _VERSION,
            "refresh_at": self.refresh_at,
            "notice": dict(self.notice),
            "passes": [
                [held.text, held.number, held.not_before, held.expires, held.shown]
                for held in self.held
            ],
        }

    @classmethod
    def from_json(cls, given: object) -> Self:
        """Read what ``to_json`` returned.

        Raises:
            StoreError: it is something else.
        """
        try:
            if not isinstance(given, Mapping) or given["version"] != _VERSION:
                raise TypeError  # noqa: TRY301 - one message for every kind of damage
            held = tuple(
                HeldPass(str(text), str(number), int(begin), int(end), int(shown))
                for text, number, begin, end, shown in given["passes"]
            )
            return cls(held, int(given["refresh_at"]), dict(given["notice"]))
        except (TypeError, KeyError, ValueError, OverflowError):
            msg = "the file of passes is damaged: delete it, and `tracetogether pass show` makes it"
            raise StoreError(msg) from None
