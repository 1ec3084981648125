"""What a restore changes: the backup becomes the present state, and a plan says what differs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.cases.followed import ContactQuery
from tracetogether.authority.oversight.restoring import (
    Carried,
    Revoked,
    carry_over,
    current_state,
    in_use,
    keys_fit,
)
from tracetogether.authority.oversight.retention import Purge
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.errors import ClockError, KeyRingError
from tracetogether.keyring import KeyRing


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much a database holds."""

    users: int
    operators: int
    cases: int
    logs: int
    contacts: int

    @classmethod
    def of(cls, store: AuthorityStore, now: float) -> "Amounts":
        """Return how much ``store`` holds."""
        counts = store.counts(now)
        _, contacts = store.desk.contacts_page(ContactQuery(limit=1))
        return cls(counts.users, counts.operators, counts.cases, counts.uploads, contacts)


NOTHING: Final = Amounts(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore does, before it is done.

    Attributes:
        name: the authority's.
        schema: the backup's.
        made_at: time of the newest entry in the backup's audit log, epoch seconds; None if empty.
        before, after: how much the database holds.
        carried: what the backup does not bring back.
        unknown_users: users who come back although neither the present database nor a list of
            withdrawals knows them.
        closed: the keys of the folder are not those that sealed the backup.
        damaged: why the present database can't be read; "" if it can.
        purged: whether the clock was confirmed, so that data past its retention was purged.
        loses: the restore replaces data of the present database.
    """

    name: str
    schema: str
    made_at: float | None
    before: Amounts
    after: Amounts
    carried: Carried
    unknown_users: int
    closed: bool
    damaged: str
    purged: bool
    loses: bool


def prepare_restore(
    present: AuthorityStore | None,
    restored: AuthorityStore,
    revoked: Revoked,
    keys: KeyRing,
    now: float,
    *,
    schema: str,
    damaged: str,
    overwrites: bool,
    clock_is_right: bool,
    follow_up: Callable[[], object] | None,
) -> RestorePlan:
    """Turn a copy of the backup into the new state; return what that changes.

    Args:
        present: the database to replace; None if it is empty or can't be read.
        restored: the copy, of this program's schema; it is changed.
        revoked: the list beside the database, for when ``present`` is None.
        keys: of the folder; expired ones are destroyed in memory only.
        now: epoch seconds.
        schema: of the backup.
        damaged: why the present database can't be read; "" if it can.
        overwrites: a damaged database is overwritten, not renamed.
        clock_is_right: an operator has checked the clock.
        follow_up: puts contacts of an earlier schema under follow-up; None if that is done.

    Raises:
        ConflictError: the backup is another authority's.
        KeyRingError: neither the keys nor the present database belong to the backup.
    """
    state = current_state(present, restored, now)
    fit = keys_fit(restored, keys)
    if fit is False and state is None and damaged:
        msg = (
            "the keys of the folder are not those of this backup: it is another authority's, or "
            "keys.txt is. Put the right keys.txt in the folder, or restore into a new one"
        )
        raise KeyRingError(msg)
    newest = [entry.time for entry, _ in restored.audit(max(restored.last_audit()[0] - 1, 0))]
    before = NOTHING if present is None else Amounts.of(present, now)
    known = set() if state is None else set(state.all_users())
    carried = carry_over(state, restored, revoked, keys, now)
    if follow_up is not None:
        follow_up()
    purged = _purge(restored, keys, now, clock_is_right=clock_is_right)
    return RestorePlan(
        name=restored.name,
        schema=schema,
        made_at=newest[-1] if newest else None,
        before=before,
        after=Amounts.of(restored, now),
        carried=carried,
        unknown_users=len(set(restored.all_users()) - known) if state is not None else 0,
        closed=fit is False and state is None,
        damaged=damaged,
        purged=purged,
        loses=(present is not None and in_use(present, now)) or (bool(damaged) and overwrites),
    )


def save_nothing(_: KeyRing) -> None:
    """Keep the key file unchanged: no key is destroyed before the restore is confirmed."""


def _purge(store: AuthorityStore, keys: KeyRing, now: float, *, clock_is_right: bool) -> bool:
    """Purge a backup; return False if the clock may be wrong. Keys are destroyed in memory only."""
    purge = Purge(keys, save_nothing, store, Audit(store))
    try:
        if not clock_is_right:
            purge.check_clock(now)
    except ClockError:
        return False
    keys.purge(now)  # the audit log records this after the restore, when they are destroyed
    purge(now, clock_is_right=clock_is_right)
    return True
