"""Recognition between authorities (互通互认): one operator adds a partner, another confirms it.

No person's data flows: a gate needs the partner's keys and the numbers of its revoked passes.
"""

import re
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.access.store import AccessStore
from tracetogether.authority.partners.partner import (
    Partner,
    fingerprint,
    granted,
    partners_in,
    partners_out,
)
from tracetogether.authority.partners.removed import KEPT, MOST_DAYS, REVOKED_OF, note_removed
from tracetogether.crypto import VerifyingKey, equal
from tracetogether.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    TrustError,
)
from tracetogether.healthcode.passes import NUMBER_BYTES, number_abroad
from tracetogether.healthcode.revocations import RevocationList
from tracetogether.signed.trust import (
    PASS,
    POSTERS,
    PURPOSES,
    RECORDS,
    REVOCATIONS,
    SEALED_RECORDS,
    TRUST,
    TrustedKey,
    TrustList,
)
from tracetogether.signed.trust_files import read_trust_file
from tracetogether.units import SECONDS_PER_DAY

_CODE: Final = re.compile(r"[\w.:-]{1,64}", re.ASCII)
MOST_PARTNERS: Final = 200
MOST_KEYS_OF_A_KID: Final = 3  # of one partner: a gate tries all keys of a kid
MOST_REVOKED: Final = 200_000  # passes: about 4,000 restricted people of one partner
_OURS_ALONE: Final = frozenset((TRUST, REVOCATIONS, POSTERS))
_BETWEEN_AUTHORITIES: Final = frozenset((RECORDS, SEALED_RECORDS))  # no gate needs these keys
GRANTABLE: Final = PURPOSES - _OURS_ALONE - {SEALED_RECORDS}
"""What can be recognised of a partner; it never signs lists for our gates."""


@dataclass(frozen=True, slots=True)
class Partners:
    """The other authorities that this one recognises.

    Args:
        store: keeps them, as one setting.
        audit: records each change.
        organisation: our own code.
    """

    store: AccessStore
    audit: Audit
    organisation: str

    def add(
        self,
        data: bytes,
        now: float,
        *,
        days: int,
        purposes: frozenset[str] = frozenset({PASS}),
        recognised_s: int | None = None,
        organisation: str | None = None,
        address: str = "",
        by: Caller,
    ) -> Partner:
        """Add a partner. Nothing of it counts until another operator confirms it.

        Args:
            data: its trust list, certificates, JWK set or DID document.
            now: epoch seconds.
            days: how long it is recognised, 1 to 366.
            purposes: what is recognised of it.
            recognised_s: how old its passes may be, seconds; None takes their own times.
            organisation: its code, if the file doesn't name it.
            address: URL of its service, which records are sent to; "" if files are carried.
            by: the caller.

        Raises:
            TrustError: the file holds no keys, keys of several organisations, none for
                ``purposes``, or none that still counts.
            InvalidRequestError: a value is out of range.
            ConflictError: the partner is there already, or is this authority itself.
            AccessDeniedError: ``by`` is the console. The attempt is recorded.
        """
        by.require(Action.CHANGE_PARTNERS)
        self._require_person(now, by)
        if not 1 <= days <= MOST_DAYS:
            msg = "a partner is recognised for 1 to {most} days"
            raise InvalidRequestError(msg, "partner-days", most=MOST_DAYS)
        if not purposes or not purposes <= GRANTABLE:
            msg = "a partner is recognised for one or more of {known}"
            known = ", ".join(sorted(GRANTABLE))
            raise InvalidRequestError(msg, "partner-purposes", known=known)
        if recognised_s is not None and recognised_s <= 0:
            raise InvalidRequestError("passes are recognised for a time above 0", "partner-age")
        trust = read_trust_file(data)
        code = _organisation_of(trust, organisation)
        rows = _usable_rows(trust, code, purposes)
        over = max(row.until_time for row in rows)
        if over <= now:
            msg = "the keys in the file were over on {day}: ask {organisation} for newer ones"
            day = datetime.fromtimestamp(over, UTC).date()
            raise TrustError(msg, "partner-keys-over", day=day, organisation=code)
        partner = Partner(
            organisation=code,
            keys=rows,
            list_key=trust.signer,
            purposes=purposes,
            recognised_s=recognised_s,
            until=now + days * SECONDS_PER_DAY,
            proposed_by=by.name,
            proposed_at=now,
            listed_until=None if trust.signer is None else trust.expires,
            listed_at=trust.issued,
            address=address,
        )
        with self.audit.atomic():
            kept = self._locked()
            if code == self.organisation:
                raise ConflictError("this is the file of our own authority", "partner-own")
            if code in kept:
                msg = "{organisation} is a partner already: remove it first, or update its list"
                raise ConflictError(msg, "partner-known", organisation=code)
            if len(kept) >= MOST_PARTNERS:
                msg = "there are {most} partners already"
                raise ConflictError(msg, "partners-full", most=MOST_PARTNERS)
            kept[code] = partner
            self.audit.record(
                "partner.added",
                now,
                by=by.name,
                subject=partner.organisation,
                fingerprint=partner.fingerprint,
                purposes=" ".join(sorted(partner.purposes)),
            )
            self._keep(kept)
        return partner

    def confirm(self, organisation: str, heard: str, now: float, *, by: Caller) -> Partner:
        """Confirm a partner by the fingerprint that its people read out.

        Args:
            organisation: its code.
            heard: the fingerprint as it was heard, not copied from our own screen.
            now: epoch seconds.
            by: another operator than the one who added it.

        Raises:
            NotFoundError: there is no such partner.
            AccessDeniedError: the same operator added it, or ``by`` is the console. The attempt
                is recorded.
            ConflictError: it is confirmed already, or the fingerprint is another one. The attempt
                is recorded.
        """
        by.require(Action.CONFIRM_PARTNER)
        self._require_person(now, by)
        refused: AccessDeniedError | ConflictError | None = None
        with self.audit.atomic():
            kept = self._locked()
            partner = _named(kept, organisation)
            if partner.confirmed_by:
                msg = "{organisation} is confirmed already"
                raise ConflictError(msg, "partner-confirmed", organisation=organisation)
            if by.name == partner.proposed_by:
                msg = "another person must confirm a partner than the one who added it"
                refused = AccessDeniedError(msg, "second-person-needed")
            elif not _same(heard, partner.fingerprint):
                msg = (
                    "this is not the fingerprint of the keys in the file: read it aloud once more, "
                    "and if it differs again, remove the partner"
                )
                refused = ConflictError(msg, "partner-fingerprint")
            if refused is None:
                partner = kept[organisation] = replace(partner, confirmed_by=by.name)
                self.audit.record(
                    "partner.confirmed",
                    now,
                    by=by.name,
                    subject=partner.organisation,
                    fingerprint=partner.fingerprint,
                    purposes=" ".join(sorted(partner.purposes)),
                )
                self._keep(kept)
            else:
                self.audit.record(
                    "partner.refused", now, by=by.name, subject=organisation, why=refused.code
                )
        if refused is not None:
            raise refused
        return partner

    def update(self, organisation: str, data: bytes, now: float, *, by: Caller) -> Partner:
        """Take a partner's newer trust list, signed by the key that was confirmed.

        Args:
            organisation: its code.
            data: the list.
            now: epoch seconds.
            by: the caller.

        Raises:
            NotFoundError: there is no such partner.
            TrustError: another key signed the list, or it is over, or older than the one
                that is there.
            ConflictError: its keys came without a list.
        """
        by.require(Action.CHANGE_PARTNERS)
        with self.audit.atomic():
            kept = self._locked()
            partner = _named(kept, organisation)
            if partner.list_key is None:
                msg = "{organisation} has no list of its own: remove it and add its new keys"
                raise ConflictError(msg, "partner-no-list", organisation=organisation)
            trust = read_trust_file(data)
            if trust.signer != partner.list_key or trust.organisation != organisation:
                raise TrustError("another key than the confirmed one signed it", "trust-signature")
            if trust.expires <= now:
                raise TrustError("the list is over already", "trust-older")
            if trust.issued < partner.listed_at:
                raise TrustError("the list is older than the one that is there", "trust-older")
            partner = kept[organisation] = replace(
                partner,
                keys=_usable_rows(trust, organisation, partner.purposes),
                listed_until=trust.expires,
                listed_at=trust.issued,
            )
            self._keep(kept)
        return partner

    def take_revocations(self, organisation: str, data: bytes, *, by: Caller) -> int:
        """Take a partner's list of revoked passes; return how many it names.

        Args:
            organisation: its code.
            data: the list, signed by the key that was confirmed.
            by: the caller.

        Raises:
            NotFoundError: there is no such partner.
            UnreadableMessageError: it is no such list, or another key signed it.
            TrustError: it is of another organisation, or older than the one that is there.
            ConflictError: its keys came without a list.
            InvalidRequestError: it names more passes than are taken.
        """
        by.require(Action.CHANGE_PARTNERS)
        with self.audit.atomic():
            partner = _named(self._locked(), organisation)
            if partner.list_key is None:
                msg = "{organisation} has no lists of its own"
                raise ConflictError(msg, "partner-no-list", organisation=organisation)
            found = RevocationList.read(data, partner.list_key)
            if found.issuer != organisation:
                raise TrustError("the list is of another organisation", "trust-signature")
            if len(found) > MOST_REVOKED:
                msg = "a partner's list names {count} passes; at most {most} are taken"
                raise InvalidRequestError(
                    msg, "partner-revoked", count=len(found), most=MOST_REVOKED
                )
            issued, _, _ = (self.store.setting(REVOKED_OF + organisation) or "0 ").partition(" ")
            if found.issued_at < int(issued):
                raise TrustError("the list is older than the one that is there", "trust-older")
            numbers = b64encode(found.numbers.astype(">u8").tobytes()).decode()
            self.store.put_setting(REVOKED_OF + organisation, f"{found.issued_at} {numbers}")
        return len(found)

    def remove(self, organisation: str, now: float, *, by: Caller) -> None:
        """Remove a partner: the next trust list no longer has its keys.

        Raises:
            NotFoundError: there is no such partner.
        """
        by.require(Action.CHANGE_PARTNERS)
        with self.audit.atomic():
            kept = self._locked()
            partner = _named(kept, organisation)
            del kept[organisation]
            self.store.put_setting(REVOKED_OF + organisation, "")
            note_removed(self.store, partner, now)
            self.audit.record(
                "partner.removed",
                now,
                by=by.name,
                subject=partner.organisation,
                fingerprint=partner.fingerprint,
                purposes=" ".join(sorted(partner.purposes)),
            )
            self._keep(kept)

    def all(self, *, by: Caller) -> list[Partner]:
        """Return all partners by code, those that wait for confirmation included."""
        by.require(Action.LIST_PARTNERS)
        return sorted(self._read().values(), key=lambda partner: partner.organisation)

    def rows(self, now: float) -> Iterator[TrustedKey]:
        """Yield the rows that our own trust list has for partners at ``now``."""
        for partner in self._read().values():
            for row in partner.recognised(now):
                purposes = row.purposes - _BETWEEN_AUTHORITIES
                if purposes:
                    yield replace(row, purposes=purposes)

    def for_records(self, now: float) -> dict[str, Partner]:
        """Return by code the partners that records are exchanged with at ``now``."""
        return {
            organisation: partner
            for organisation, partner in self._read().items()
            if any(RECORDS in row.purposes for row in partner.recognised(now))
        }

    def address_is(self, organisation: str, address: str, now: float, *, by: Caller) -> Partner:
        """Set the URL of a partner's service, which records are sent to; "" for none.

        Raises:
            NotFoundError: there is no such partner.
        """
        by.require(Action.CHANGE_PARTNERS)
        with self.audit.atomic():
            kept = self._locked()
            partner = kept[organisation] = replace(_named(kept, organisation), address=address)
            self.audit.record("partner.address", now, by=by.name, subject=organisation)
            self._keep(kept)
        return partner

    def revoked(self, now: float) -> Iterator[bytes]:
        """Yield what our list of revoked passes has for partners at ``now``, 8 bytes each.

        So a gate fetches one list. Each number is bound to its issuer by ``number_abroad``.
        """
        for organisation, partner in self._read().items():
            if next(partner.recognised(now), None) is not None:
                kept = self.store.setting(REVOKED_OF + organisation) or ""
                numbers = b64decode(kept.partition(" ")[2])
                for at in range(0, len(numbers), NUMBER_BYTES):
                    yield number_abroad(organisation, numbers[at : at + NUMBER_BYTES])

    def own_fingerprint(self, list_key: VerifyingKey) -> str:
        """Return what our people read out to a partner; ``list_key`` signs our lists."""
        return fingerprint(self.organisation, [list_key])

    def _require_person(self, now: float, by: Caller) -> None:
        """Return if ``by`` is a person: who has a shell would else be one of the two.

        Raises:
            AccessDeniedError: it is the console. The attempt is recorded.
        """
        try:
            by.require_person()
        except AccessDeniedError as error:
            self.audit.record("partner.refused", now, by=by.name, why=error.code)
            raise

    def _read(self) -> dict[str, Partner]:
        found = partners_in(self.store.setting(KEPT))
        return {partner.organisation: partner for partner in found}

    def _locked(self) -> dict[str, Partner]:
        """Return the partners; nobody else changes them until the transaction ends."""
        self.store.last_audit()
        return self._read()

    def _keep(self, kept: dict[str, Partner]) -> None:
        self.store.put_setting(KEPT, partners_out(kept.values()))


def _named(kept: dict[str, Partner], organisation: str) -> Partner:
    if organisation not in kept:
        raise NotFoundError("there is no such partner", "no-such-partner")
    return kept[organisation]


def _organisation_of(trust: TrustList, given: str | None) -> str:
    """Return the one organisation whose keys a file holds.

    Raises:
        TrustError: it names none and none is given, several, or another one than is given.
    """
    named = {trust.organisation} if trust.organisation else {row.organisation for row in trust.keys}
    named.discard("")
    if given is not None:
        named.add(given)
    if len(named) != 1:
        raise TrustError(
            "the file must hold the keys of one organisation, and name it or be named by "
            "--organisation; it names {count}",
            "partner-organisation",
            count=len(named),
        )
    (code,) = named
    if not _CODE.fullmatch(code):
        raise TrustError("an organisation's code has letters, digits and . : - _", "partner-code")
    return code


def _usable_rows(
    trust: TrustList, organisation: str, purposes: frozenset[str]
) -> tuple[TrustedKey, ...]:
    """Return the keys of ``organisation`` for ``purposes``: a list does not pass on others' keys.

    Raises:
        TrustError: there is none, or too many of one kid.
    """
    rows = tuple(
        replace(
            row,
            kid=row.key.kid if row.kid is None else row.kid,
            organisation=organisation,
            until_time=min(row.until_time, _FAR_S),
        )
        for row in trust.keys
        if row.organisation in ("", organisation) and row.purposes & granted(purposes)
    )
    if not rows:
        raise TrustError(
            "the file holds no key for {purposes}", "partner-keys", purposes=", ".join(purposes)
        )
    kid, count = Counter(row.kid for row in rows).most_common(1)[0]
    if count > MOST_KEYS_OF_A_KID:
        raise TrustError(
            "the file has {count} keys of the kid {kid}: a gate would try all; at most {most}",
            "partner-kid",
            count=count,
            kid="" if kid is None else kid.hex(),
            most=MOST_KEYS_OF_A_KID,
        )
    return rows


_FAR_S: Final = 253_402_300_799.0  # the end of year 9999: keys without an end have no infinity


def _same(heard: str, shown: str) -> bool:
    """Compare fingerprints without blanks, hyphens and case."""
    plain = re.sub(r"[\s-]", "", heard).lower()
    return equal(plain.encode(errors="replace"), shown.replace(" ", "").encode())
