"""The authority put together: one object that the command line and the HTTP form are given."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from tracetogether.authority.access import Access, UserStore
from tracetogether.authority.casework import CaseStore, Casework
from tracetogether.authority.intake import Intake, SealedUpload, UploadStore
from tracetogether.authority.issuance import Issuance
from tracetogether.authority.pins import Pins, PinStore
from tracetogether.authority.retention import CasesThatAge, PinsThatAge, Purge, UploadsThatAge
from tracetogether.authority.tracing import Tracing
from tracetogether.bluetrace.tempid import TempIDIssuer
from tracetogether.bluetrace.upload_token import UploadTokens
from tracetogether.keyring import KeyRing
from tracetogether.units import Entropy


class Cases(CaseStore, CasesThatAge, Protocol):
    """All that is asked of where cases are kept."""


class PinsKept(PinStore, PinsThatAge, Protocol):
    """All that is asked of where PINs are kept."""


class Uploads(UploadStore, UploadsThatAge, Protocol):
    """All that is asked of where uploads are kept."""

    def uploads(self, case_id: str) -> Sequence[SealedUpload]:
        """Return a case's uploads in the order in which they came."""
        ...


@dataclass(frozen=True, slots=True)
class Authority:
    """The parts of the service, each a small thing of its own; every call is given the time."""

    access: Access
    issuance: Issuance
    casework: Casework
    pins: Pins
    intake: Intake
    tracing: Tracing
    purge: Purge

    @classmethod
    def assemble(
        cls,
        keys: KeyRing,
        *,
        name: str,
        users: UserStore,
        cases: Cases,
        pins: PinsKept,
        uploads: Uploads,
        save_keys: Callable[[KeyRing], None],
        entropy: Entropy = os.urandom,
    ) -> Self:
        """Return the service over these keys and stores.

        Args:
            keys: the key ring; the parts share it.
            name: organisation code (such as SG_MOH), bound into TempIDs and upload tokens.
            users: where users and operators are kept; one object may be all four stores.
            cases: where cases are kept.
            pins: where upload PINs are kept.
            uploads: where sealed logs are kept.
            save_keys: writes the ring to where it came from, after a purge.
            entropy: where ids, secrets, PINs and IVs come from.
        """
        issuer = TempIDIssuer(keys, name, entropy=entropy)
        tokens = UploadTokens(keys, name, entropy=entropy)
        pin_desk = Pins(keys, cases, pins, entropy)
        return cls(
            access=Access(users),
            issuance=Issuance(issuer, users, entropy=entropy),
            casework=Casework(cases, users, entropy),
            pins=pin_desk,
            intake=Intake(keys, issuer, tokens, pin_desk, cases, uploads, entropy),
            tracing=Tracing(keys, issuer, uploads),
            purge=Purge(keys, save_keys, cases, pins, uploads),
        )
