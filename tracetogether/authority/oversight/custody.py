"""Custody of the day keys: check, rotate, quarantine, destroy and replace them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.permissions import Action, Caller
from tracetogether.authority.access.store import AccessStore
from tracetogether.authority.oversight.unfinished import Unfinished
from tracetogether.errors import KeyRingError
from tracetogether.keyring import DayKeys, KeyRing
from tracetogether.units import utc_day

CHECK_VALUE: Final = "keys_check"
"""Under which name the store keeps the check value of its keys."""


def settle_keys(keys: KeyRing, store: AccessStore, save_keys: Callable[[KeyRing], None]) -> None:
    """Add the ring's own key and the database's check value, which earlier releases lack.

    Raises:
        KeyRingError: the database has a check value, and the keys lack the own key that fits it;
            or the keys can't be saved.
    """
    noted = store.setting(CHECK_VALUE)
    if noted is not None and keys.has_own_key:
        return
    if not keys.has_own_key:
        keys.make_own_key()
        if noted is not None and not keys.fits(noted).same_authority:
            msg = (
                "keys.txt belongs to an earlier release or to another authority: copy keys.txt "
                "from the machine where you ran `tracetogether authority migrate`"
            )
            raise KeyRingError(msg)
        save_keys(keys)
    if noted is None:
        store.put_setting(CHECK_VALUE, keys.check_value())


def require_keys_of(store: AccessStore, keys: KeyRing, now: float) -> None:
    """Return if the keys are those of the database.

    TempIDs issued under other keys are rejected later, and sealed logs stay closed.

    Raises:
        KeyRingError: they are another authority's, or lack a rotation that has taken effect.
    """
    noted = store.setting(CHECK_VALUE)
    if noted is None:
        return
    fit = keys.fits(noted)
    if not fit.same_authority:
        msg = (
            "keys.txt does not belong to this database: put back the keys.txt that does. If it "
            "is lost for good, `tracetogether authority keys replace` accepts these keys; then "
            "nothing that was encrypted before can be read again"
        )
        raise KeyRingError(msg)
    # A batch of TempIDs reaches into the next day.
    if fit.wrong_from is not None and utc_day(now) + 1 >= fit.wrong_from:
        msg = (
            "keys.txt lacks the last rotation of this database's keys: copy keys.txt from the "
            "machine where you ran `authority keys rotate`"
        )
        raise KeyRingError(msg)


@dataclass(frozen=True, slots=True)
class Custody:
    """What keyholders do. Each act is announced, saved and then recorded.

    A method that is given ``by`` raises AccessDeniedError if that caller's roles do not allow it.

    Args:
        keys: the authority's keys, shared by all parts of the service.
        save_keys: writes the key ring to its file.
        audit: the log.
        store: holds the check value of the keys.
    """

    keys: KeyRing
    save_keys: Callable[[KeyRing], None]
    audit: Audit
    store: AccessStore

    def require(self, now: float) -> None:
        """Return if the keys are the database's.

        Raises:
            KeyRingError: they are not.
        """
        require_keys_of(self.store, self.keys, now)

    def foreign(self, now: float) -> bool:
        """Return whether the keys are not the database's."""
        try:
            self.require(now)
        except KeyRingError:
            return True
        return False

    def replace(self, now: float, *, by: Caller) -> None:
        """Use these keys for a database whose own keys are lost.

        What was sealed under the lost keys can never be opened again.
        """
        by.require(Action.CHANGE_KEYS)
        with self.audit.atomic():
            self.store.put_setting(CHECK_VALUE, self.keys.check_value())
            self.audit.record("keys.replaced", now, by=by.name)

    def known_days(self, now: float, *, by: Caller) -> Sequence[DayKeys]:
        """Return the days whose keys exist, up to tomorrow."""
        by.require(Action.SHOW_KEYS)
        return self.keys.known_days(utc_day(now) + 1)

    def rotate(self, now: float, *, by: Caller) -> int:
        """Begin a new chain of keys; return its first day, of which no phone has TempIDs yet.

        Raises:
            KeyRingError: it was rotated for that day already, or can't be saved.
        """
        by.require(Action.CHANGE_KEYS)
        first = self.keys.rotate(now)
        self._announce("keys.rotated", now, by, first_day=first)
        self.save_keys(self.keys)
        with self.audit.atomic():
            self.store.put_setting(CHECK_VALUE, self.keys.check_value())
            self._unfinished.record("keys.rotated", now, by=by.name, first_day=first)
        return first

    def quarantine(self, first: int, last: int, now: float, *, by: Caller) -> None:
        """Reject TempIDs that are sealed under the keys of these days.

        Raises:
            KeyRingError: there are no such keys, or the ring can't be saved.
        """
        by.require(Action.CHANGE_KEYS)
        self.keys.quarantine(first, last)
        days = {"first_day": first, "last_day": last}
        self._announce("keys.quarantined", now, by, **days)
        self.save_keys(self.keys)
        self._unfinished.record("keys.quarantined", now, by=by.name, **days)

    def destroy(self, before: int, now: float, *, by: Caller) -> int:
        """Destroy the keys of all days before ``before`` early.

        Returns:
            The number of days whose keys were destroyed. Nobody can open what they sealed.

        Raises:
            KeyRingError: the ring can't be saved; the keys on disk are unchanged.
        """
        by.require(Action.CHANGE_KEYS)
        oldest = self.keys.oldest_day
        due = 0 if oldest is None else max(before - oldest, 0)
        self._announce("keys.destroyed", now, by, before_day=before, days=due)
        gone = self.keys.destroy_before(before)
        self.save_keys(self.keys)
        self._unfinished.record("keys.destroyed", now, by=by.name, before_day=before, days=gone)
        return gone

    def _announce(self, act: str, now: float, by: Caller, **details: int) -> None:
        self._unfinished.announce(act, now, by=by.name, **details)

    @property
    def _unfinished(self) -> Unfinished:
        return Unfinished(self.keys, self.store, self.audit)
