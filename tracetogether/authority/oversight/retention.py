"""Retention: delete keys, uploads, contact lists, PINs, cases and counts on time."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.limits import COUNTS_KEPT_S
from tracetogether.authority.cases.followed import opened_person, person_key
from tracetogether.authority.cases.person_index import indexed
from tracetogether.authority.oversight.clock_witness import LAST_PURGE, ClockWitness
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.oversight.unfinished import Unfinished
from tracetogether.authority.status.closing import CaseEndings
from tracetogether.errors import ClockError
from tracetogether.keyring import KeyRing
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import (
    BATCHES_KNOWN_S,
    PURGE_OVERDUE_S,
    RESTRICTIONS,
    RETENTION,
    SESSION_IDLE_S,
    SESSION_LONGEST_S,
    VISIT_REPORTS,
    Retention,
)
from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, utc_day

_LINES_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Purged:
    """The numbers of things that a purge deleted."""

    day_keys: int
    uploads: int
    contact_lists: int
    pins: int
    cases: int
    followed_contacts: int = 0
    notes: int = 0
    declarations: int = 0


@dataclass(frozen=True, slots=True)
class Purge:
    """Deletes what is older than its retention time; a repeated or resumed purge is harmless.

    Args:
        keys: the authority's keys.
        save_keys: writes the key ring to its file; a key is destroyed once this is done.
        store: holds everything else.
        audit: the log.
        retention: how long things are kept, in UTC days, as keys are.
        days: the authority's time zone, in whose days follow-ups end.
    """

    keys: KeyRing
    save_keys: Callable[[KeyRing], None]
    store: AuthorityStore
    audit: Audit
    retention: Retention = RETENTION
    days: LocalDays = UTC_DAYS

    def __call__(
        self, now: float, *, clock_is_right: bool = False, rehearsed: bool = False
    ) -> Purged:
        """Delete what is too old at ``now`` (epoch seconds), all but the keys in one transaction.

        - Day keys: after 25 days, and with them everything that is sealed under them.
        - Uploads and the contact lists found from them: 21 days after they arrived.
        - PINs: once used up, void or expired.
        - Followed contacts, notes, names and numbers of cases, declarations, reported visits and
          trips: with the uploads of the day whose key seals them.
        - Packages of warnings and lists of trips: 14 days after their hour, or date.
        - Restrictions, with their appeals, and orders: 21 days after their end; a restriction by an
          order stays as long as the order.
        - Places: 25 days after they retired; when they fetched which TempIDs: after 25 days.
        - Cases: 25 days after they were opened or last given a PIN, later than all their uploads.
        - Batches to and from partners, and answers: 25 days. Cases of partners go with the number
          that stands for their people.
        - Follow-ups end after their last day, operators' sessions when idle or too old.

        Args:
            now: epoch seconds.
            clock_is_right: trust ``now`` though nothing confirms it.
            rehearsed: ``now`` is not the clock's time; don't store it as the last purge.

        Raises:
            ClockError: the clock may be wrong; nothing was deleted.
            KeyRingError: the keys could not be saved; those on disk are unchanged.
            StoreError: the store could not be written; it is unchanged.
        """
        if not clock_is_right:
            self.check_clock(now)
        unfinished = Unfinished(self.keys, self.store, self.audit)
        unfinished.complete()
        oldest, before = self.keys.oldest_day, utc_day(now) - RETENTION.day_keys_days
        if oldest is not None and oldest < before:
            due = {"before_day": before, "day_keys": before - oldest}
            unfinished.announce("purged", now, by="clock", **due)
        keys_gone = self.keys.purge(now)
        self.save_keys(
            self.keys
        )  # even if none was destroyed now: an earlier purge may have stopped before this
        desk, old = self.store.desk, utc_day(now - self.retention.uploads_s)
        with self.audit.atomic():
            self.store.presence.lock()  # first: those who write visits lock it before their rows
            of_partners = self.store.handing.drop_users_of_partners(
                now - self.retention.day_keys_days * SECONDS_PER_DAY
            )
            self._index_people()
            desk.end_follow_ups(self.days.day(now), now)
            purged = Purged(
                day_keys=keys_gone,
                uploads=self.store.drop_uploads(now - self.retention.uploads_s),
                contact_lists=self.store.drop_contact_lists(now - self.retention.uploads_s),
                pins=self.store.drop_pins(now),
                cases=of_partners
                + self.store.drop_cases(now - self.retention.day_keys_days * SECONDS_PER_DAY),
                followed_contacts=desk.drop_contacts(old),
                notes=desk.drop_notes(old),
                declarations=self.store.declarations.drop_declarations(old),
            )
            self.store.handing.drop_old(now - BATCHES_KNOWN_S)
            CaseEndings(self.store, self.audit).deleted(now)
            desk.drop_merges(old)
            desk.drop_case_people(old)
            self.store.calls.drop_drafts(old)
            self.store.calls.drop_reservations(now)
            self.store.calls.drop_shifts(now)
            self.store.charges.drop_consents(now)
            self._drop_presence(old, now)
            self.store.places.drop(now - self.retention.day_keys_days * SECONDS_PER_DAY)
            self.store.status.drop_orders(now - RESTRICTIONS.kept_s)
            self.store.status.drop_restrictions(now - RESTRICTIONS.kept_s)
            self.store.drop_tokens(now - SECONDS_PER_DAY)  # a token lives for two hours
            self.store.drop_counts(now - COUNTS_KEPT_S)
            self.store.drop_withdrawals(now - self.retention.withdrawals_s)
            self.store.sign_ins.drop_sessions(now - SESSION_LONGEST_S, now - SESSION_IDLE_S)
            if not rehearsed:
                last = now if clock_is_right else max(now, self.last() or now)
                self.store.put_setting(LAST_PURGE, str(float(last)))
            unfinished.forget()
            counts = {what: count for what, count in asdict(purged).items() if count}
            if counts:
                self.audit.record("purged", now, by="clock", **counts)
        return purged

    def _drop_presence(self, old: int, now: float) -> None:
        """Delete visits and trips that arrived before the day ``old``, and old packages."""
        presence, public_from = self.store.presence, now - VISIT_REPORTS.kept_s
        presence.drop_visits(old)
        presence.drop_trips(old)
        presence.drop_heard(public_from)
        hour = int(public_from // SECONDS_PER_HOUR)
        presence.drop_packages("warnings", hour, 0)
        presence.drop_packages("trips", utc_day(public_from), int(now // SECONDS_PER_HOUR))

    def _index_people(self) -> None:
        """Give lines of earlier releases the digests by which a person is found."""
        while lines := self.store.calls.unindexed(_LINES_AT_ONCE):
            found = [(kept, opened_person(kept, self.keys)) for kept in lines]
            self.store.desk.put_contacts(
                [
                    replace(
                        indexed(kept, self.keys, user_id=user_id),
                        who=person_key(user_id or kept.contact_id, self.keys),
                    )
                    for kept, user_id in found
                ]
            )

    def last(self) -> float | None:
        """Return when the last purge succeeded, in epoch seconds; None if there was none."""
        return self._witness.last_purge()

    def check_behind(self, now: float) -> None:
        """Return if ``now`` is not far behind: expired things would be valid again.

        Raises:
            ClockError: it is.
        """
        self._witness.check_behind(now)

    def check_clock(self, now: float) -> None:
        """Return if ``now`` is confirmed, and is not far behind.

        Raises:
            ClockError: it is not.
        """
        self._witness.check_ahead(now)
        self._witness.check_behind(now)

    def clock_suspect(self, now: float) -> bool:
        """Return whether ``check_clock`` refuses ``now``."""
        try:
            self.check_clock(now)
        except ClockError:
            return True
        return False

    @property
    def _witness(self) -> ClockWitness:
        return ClockWitness(self.store, self.audit)

    def overdue(self, now: float) -> bool:
        """Return whether two hourly purges in a row were missed."""
        last = self.last()
        return last is None or now - last > PURGE_OVERDUE_S
