"""Passes: batches for phones, papers for people without one, and what gates fetch.

A batch holds two passes for each of 24 hours. Nothing about it is stored: the numbers follow from
the day's key. Whether a person gets passes depends on cases, restrictions, contacts and what the
person declared, as the policy in use says.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from tracetogether.authority.access.audit import LONGEST_REASON, Audit
from tracetogether.authority.access.limits import GIVEN, Limit, Limits
from tracetogether.authority.access.operator_limits import take_of_operator
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.cases.followed import person_tag
from tracetogether.authority.intake.issuance import Issuance
from tracetogether.authority.partners.recognition import Partners
from tracetogether.authority.partners.record_keys import RecordKeys
from tracetogether.authority.status.declarations import Declarations
from tracetogether.authority.status.facts import FactsKept, PassStore
from tracetogether.authority.status.numbers import (
    hour_of,
    numbers_of_hours,
    numbers_still_valid,
    paper_number,
)
from tracetogether.authority.status.policy import (
    PassEffect,
    Standing,
    StatusFact,
    StatusPolicy,
    status_policies,
)
from tracetogether.authority.status.restricting import Restrictions
from tracetogether.authority.status.restriction import Ground, Restriction, RestrictionState
from tracetogether.authority.status.signing import RETIRED, PassKey, PassKeys, retired_kids
from tracetogether.bluetrace.spoken_id import read_user_id
from tracetogether.crypto import SigningKey, VerifyingKey
from tracetogether.errors import ConflictError, InvalidRequestError, NotFoundError
from tracetogether.healthcode.passes import MOST_HINT, PAPER, Pass
from tracetogether.healthcode.revocations import RevocationList
from tracetogether.healthcode.writing import PassWriter
from tracetogether.keyring import KeyRing
from tracetogether.parameters import PASSES, RETENTION
from tracetogether.plain_text import hidden_in
from tracetogether.signed import cose, hcert
from tracetogether.signed.trust import PASS, REVOCATIONS, TRUST, TrustedKey, TrustList
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, utc_day

POLICY: Final = "status_policy"
"""Under which name the store keeps the policy in use, as TOML."""
_DEFAULT_POLICY: Final = "advice"
NOTICED: Final = Limit("passes-noticed", 0, SECONDS_PER_DAY)
"""People whose passes came with advice or were withheld on a UTC day: a count, no limit."""
_UNNOTICED: Final = Limit("passes-plain", 0, SECONDS_PER_DAY)
_MOST_WRITERS: Final = 8
_TEST_AFTER_DAYS: Final = 5  # after the contact; earlier tests miss many infections


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person reads about their passes; ``healthcode.notices`` has the text of the code.

    Attributes:
        code: "pass.green", "pass.advised", "pass.advised.symptoms", "pass.advised.case",
            "pass.withheld.case" or "pass.withheld.order".
        parameters: what the text names; times are epoch seconds.
    """

    code: str
    parameters: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def withheld(self) -> bool:
        """Whether there are no passes."""
        return self.code.startswith("pass.withheld")


@dataclass(frozen=True, slots=True)
class PassBatch:
    """What a phone gets: passes, and the notice that goes with them.

    Attributes:
        notice: why there are passes, or why there are none.
        passes: texts of QR codes, by hour; empty if passes are withheld.
        refresh_at: epoch seconds from which the phone should ask again.
    """

    notice: Notice
    passes: tuple[str, ...] = field(repr=False)
    refresh_at: int


@dataclass(frozen=True, slots=True)
class PaperPass:
    """A pass for somebody without a phone, to be printed.

    Attributes:
        user_id: whom restrictions refer to; the desk keeps it on the person's file card.
        text: what the QR code holds.
        not_before, expires: epoch seconds.
    """

    user_id: str = field(repr=False)
    text: str = field(repr=False)
    not_before: int
    expires: int


@dataclass(frozen=True, slots=True)
class Passes:
    """Issues passes, and the lists that gates fetch.

    Args:
        keys: the authority's keys.
        organisation: code of the authority, the issuer of its passes.
        store: holds cases, contacts and restrictions.
        restrictions: who gets no passes.
        declarations: what people declared.
        signing: the keys that sign.
        issuance: registers people without a phone.
        partners: other authorities, whose keys and revocations our lists name too.
        audit: the log.
        limits: of papers by one operator.
        other_signers: purpose -> returns our own key for it, which the trust list names too.
    """

    keys: KeyRing
    organisation: str
    store: PassStore
    restrictions: Restrictions
    declarations: Declarations
    signing: PassKeys
    issuance: Issuance
    partners: Partners
    audit: Audit
    limits: Limits
    other_signers: Mapping[str, Callable[[], SigningKey]] = field(default_factory=dict)
    _writers: dict[str, PassWriter] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    # --- phones ---

    def batch(self, user_id: str, now: float) -> PassBatch:
        """Return the passes of a user for 24 hours, or the notice that says why there are none.

        Calls within one hour return passes with the same numbers. The passes are made before it is
        asked whether they are withheld, so that the time of the answer doesn't tell.
        """
        kept = self._facts(user_id, now)
        texts = tuple(self._texts(user_id, hour_of(now), kept.retired))
        notice = self._notice(user_id, kept, now)
        # One write for everybody: the time of the answer doesn't tell who is noticed.
        counted = _UNNOTICED if notice.code == "pass.green" else NOTICED
        self.limits.add(counted, user_id, now)
        return PassBatch(
            notice, () if notice.withheld else texts, int(now) + PASSES.refresh_after_s
        )

    def notice(self, user_id: str, now: float) -> Notice:
        """Return the notice of a user about their passes at ``now``."""
        return self._notice(user_id, self._facts(user_id, now), now)

    # --- the desk ---

    def paper(
        self,
        now: float,
        reason: str,
        *,
        user_id: str | None = None,
        hint: str | None = None,
        by: Caller,
    ) -> PaperPass:
        """Issue a pass on paper, valid for seven days, to a person without a phone.

        Args:
            now: epoch seconds.
            reason: why this person needs a paper; it is recorded in the audit log.
            user_id: who had a paper before; None registers a new person, whom no phone belongs to.
            hint: a few characters by which a guard knows the holder, such as initials, as the
                desk saw them in a document; gates show it only with ``--hint``. It is not stored.
            by: the caller.

        Raises:
            InvalidRequestError: the reason is empty, too long or has control characters, or the
                hint is.
            NotFoundError: there is no such user.
            ConflictError: passes are withheld from this person.
            AccessDeniedError: ``by`` is the console: a person answers for a paper.
            RateLimitedError: ``by`` gave out as many today as one operator may.
        """
        by.require(Action.ISSUE_PAPER)
        by.require_person()
        given = reason.strip()
        if not given or len(given) > LONGEST_REASON or hidden_in(given):
            msg = "give a reason of 1 to {count} characters, in one line of plain text"
            raise InvalidRequestError(msg, "reason-needed", count=LONGEST_REASON)
        if hint is not None and (not 0 < len(hint.strip()) <= MOST_HINT or hidden_in(hint)):
            msg = "a hint has 1 to {most} characters, in one line of plain text"
            raise InvalidRequestError(msg, "paper-hint", most=MOST_HINT)
        take_of_operator(GIVEN, "passes-given.exceeded", now, self.limits, self.audit, by=by)
        user_id = None if user_id is None else read_user_id(user_id)
        if user_id is not None and not self.store.has_user(user_id):
            msg = "there is no such user: leave the id out to register a new person"
            raise NotFoundError(msg, "no-such-user")
        if user_id is not None and self.notice(user_id, now).withheld:
            self.audit.record("paper.refused", now, by=by.name, reason=given)
            msg = "passes are withheld from this person: no paper was issued"
            raise ConflictError(msg, "paper-withheld")
        with self.audit.atomic():
            if user_id is None:
                user_id = self.issuance.register().user_id
            begin, day = hour_of(now) * SECONDS_PER_HOUR, utc_day(now)
            number = paper_number(self.keys, user_id, day)
            paper = Pass(
                self.organisation,
                begin,
                begin + PASSES.paper_s,
                number,
                hint=None if hint is None else hint.strip(),
                form=PAPER,
            )
            text = _text(paper, self.signing.of_day(day))
            self.audit.record("paper.issued", now, by=by.name, reason=given)
        return PaperPass(user_id, text, begin, paper.expires)

    def keys_in_use(self, now: float, *, by: Caller) -> list[PassKey]:
        """Return the keys that sign passes now and soon, the oldest first."""
        by.require(Action.SHOW_KEYS)
        return self.signing.in_use(now)

    def list_key(self, *, by: Caller) -> VerifyingKey:
        """Return the public key that checks the lists of gates."""
        by.require(Action.SHOW_KEYS)
        return self.signing.of_lists().public

    def retire_key(self, kid: str, now: float, *, by: Caller) -> PassKey:
        """Retire a key, and return the one that signs from now on; see ``PassKeys.retire``."""
        return self.signing.retire(kid, now, by=by)

    def policy_in_use(self, *, by: Caller) -> StatusPolicy:
        """Return the policy that passes follow."""
        by.require(Action.SHOW_STATUS_POLICY)
        return _policy_of(self.store.setting(POLICY))

    def use_policy(self, policy: StatusPolicy, now: float, *, by: Caller) -> None:
        """Use another policy from now on; running servers use it at once.

        Raises:
            InvalidRequestError: it withholds passes without two people, or by computed contact.
        """
        by.require(Action.SET_STATUS_POLICY)
        policy.check_two_people()
        with self.audit.atomic():
            before = _policy_of(self.store.setting(POLICY)).name
            self.store.put_setting(POLICY, json.dumps([policy.name, policy.to_table()]))
            self.audit.record(
                "status-policy.set", now, by=by.name, policy=policy.name, before=before
            )

    # --- gates ---

    def trust_list(self, now: float) -> bytes:
        """Return the keys that sign passes now and soon, as a signed list for a day."""
        lists = self.signing.of_lists()
        rows = [
            TrustedKey(
                kid=key.key.public.kid,
                key=key.key.public,
                organisation=self.organisation,
                region="",
                purposes=frozenset({PASS}),
                from_time=key.first_day * SECONDS_PER_DAY - PASSES.clock_skew_s * 2,
                until_time=key.until_s,
            )
            for key in self.signing.in_use(now)
        ]
        lasting = [(lists, frozenset({TRUST, REVOCATIONS}))]
        lasting += [(key(), frozenset({use})) for use, key in self.other_signers.items()]
        rows.extend(
            TrustedKey(
                kid=key.public.kid,
                key=key.public,
                organisation=self.organisation,
                region="",
                purposes=purposes,
                from_time=1,
                until_time=now + PASSES.list_valid_s,
            )
            for key, purposes in lasting
        )
        rows.extend(RecordKeys(self.keys).rows(self.organisation, now))
        rows.extend(self.partners.rows(now))
        return TrustList(
            rows,
            organisation=self.organisation,
            issued=int(now),
            expires=int(now) + PASSES.list_valid_s,
        ).sign(lists)

    def revocation_list(self, now: float) -> bytes:
        """Return the numbers of all passes that are withheld now, but could still be shown.

        The list is exact and signed. It is the edition of the last full quarter of an hour: a list
        made for each new restriction would show which numbers are of one person. Its cost grows
        with the number of restricted people.
        """
        at = now - now % PASSES.revoked_every_s
        grounds = _withholding(_policy_of(self.store.setting(POLICY)))
        restricted = {
            restriction.user_id
            for restriction in self.store.status.not_over(at)
            if restriction.ground in grounds
            and self.restrictions.state(restriction, at) is RestrictionState.IN_FORCE
        }
        numbers = (
            number
            for user_id in restricted
            for number in numbers_still_valid(self.keys, user_id, at)
        )
        of_partners = self.partners.revoked(now)
        found = RevocationList.of(self.organisation, chain(numbers, of_partners), int(at))
        return found.signed(self.signing.of_lists())

    # --- parts of the above ---

    def _texts(self, user_id: str, first: int, retired: str | None) -> list[str]:
        hours = range(first, first + PASSES.hours)
        days = {utc_day(hour * SECONDS_PER_HOUR) for hour in hours}
        signers = self.signing.of_days(days, retired_kids(retired))
        by_kid: dict[str, list[tuple[int, int, bytes]]] = {}
        for hour, number in numbers_of_hours(self.keys, user_id, hours):
            begin = hour * SECONDS_PER_HOUR
            wanted = by_kid.setdefault(signers[utc_day(begin)].kid, [])
            wanted.append((begin, begin + PASSES.valid_s, number))
        keys = {signer.kid: signer.key for signer in signers.values()}
        return [
            text
            for kid, wanted in by_kid.items()
            for text in self._writer(kid, keys[kid]).texts(wanted)
        ]

    def _writer(self, kid: str, key: SigningKey) -> PassWriter:
        """Return the writer for a key; the last few are kept in memory."""
        found = self._writers.get(kid)
        if found is None:
            if len(self._writers) >= _MOST_WRITERS:
                self._writers.clear()
            found = self._writers[kid] = PassWriter(self.organisation, key)
        return found

    def _facts(self, user_id: str, now: float) -> FactsKept:
        # Older rows of follow-up were deleted with the uploads of their day.
        days = range(utc_day(now - RETENTION.uploads_s) - 1, utc_day(now) + 1)
        tags = [person_tag(user_id, day, self.keys) for day in days if self.keys.has_day(day)]
        return self.store.declarations.facts_kept(user_id, tags, (POLICY, RETIRED))

    def _notice(self, user_id: str, kept: FactsKept, now: float) -> Notice:
        policy = _policy_of(kept.policy)
        restriction = self.restrictions.in_force(user_id, now, _withholding(policy))
        facts: dict[StatusFact, int] = {}
        if kept.case_day is not None:
            facts[StatusFact.CASE] = kept.case_day
        if kept.contact_at is not None:
            facts[StatusFact.CONTACT] = utc_day(kept.contact_at)
        declared = self.declarations.opened(kept.declaration, now)
        if declared is not None and declared.symptoms:
            facts[StatusFact.SYMPTOMS] = declared.since_day
        decided = {}
        if restriction is not None:
            until_day = -int(-restriction.until // SECONDS_PER_DAY)
            decided[StatusFact(restriction.ground.value)] = max(until_day, utc_day(now) + 1)
        standing = policy.standing(facts, utc_day(now), decided)
        return _notice_of(standing, restriction, now)


def _policy_of(kept: str | None) -> StatusPolicy:
    if kept is None:
        return status_policies()[_DEFAULT_POLICY]
    return StatusPolicy.from_table(*json.loads(kept))


def _withholding(policy: StatusPolicy) -> frozenset[Ground]:
    """Return the grounds of restrictions for which a policy withholds passes."""
    return frozenset(
        ground
        for ground in Ground
        if policy.rule(StatusFact(ground.value)).effect is PassEffect.WITHHOLD
    )


def _notice_of(standing: Standing, restriction: Restriction | None, now: float) -> Notice:
    if standing.fact is None or standing.until_day is None:
        until = (hour_of(now) + PASSES.hours) * SECONDS_PER_HOUR
        return Notice("pass.green", {"until": until})
    until = standing.until_day * SECONDS_PER_DAY
    if standing.effect is PassEffect.ADVISE:
        if standing.fact is StatusFact.CASE:
            return Notice("pass.advised.case", {"until": until})
        code = "pass.advised.symptoms" if standing.fact is StatusFact.SYMPTOMS else "pass.advised"
        test_by = (standing.day + _TEST_AFTER_DAYS) * SECONDS_PER_DAY
        tomorrow = (utc_day(now) + 2) * SECONDS_PER_DAY
        return Notice(code, {"test_by": max(test_by, tomorrow)})
    if restriction is None:  # an authority's policy withholds by a restriction only
        return Notice("pass.withheld.case", {"until": until, "reference": ""})
    return Notice(
        f"pass.withheld.{standing.fact.value}",
        {
            "until": int(restriction.until),
            "reference": restriction.reference,
            "restriction": restriction.restriction_id,
        },
    )


def _text(made: Pass, signer: PassKey) -> str:
    return hcert.to_text(cose.sign(made.write(), signer.key, signer.key.public.kid))
