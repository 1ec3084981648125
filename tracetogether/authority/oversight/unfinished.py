"""Announce acts on the keys before they are done, so that none lacks its audit entry."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tracetogether.authority.access.audit import Audit
from tracetogether.authority.access.store import AccessStore
from tracetogether.keyring import KeyRing

_NOTED: Final = "unfinished_act"


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Links a change of the key file, which no transaction covers, to its audit entry.

    Args:
        keys: the authority's keys, as they are on disk.
        store: where the announcement is kept.
        audit: the log.
    """

    keys: KeyRing
    store: AccessStore
    audit: Audit

    def announce(self, act: str, now: float, *, by: str, **details: int) -> None:
        """Store that an act on the keys is about to be done."""
        self.complete()
        said = {"act": act, "time": now, "by": by, "details": details}
        self.store.put_setting(_NOTED, json.dumps(said))

    def record(self, act: str, now: float, *, by: str, **details: int) -> None:
        """Write the audit entry of a finished act, and delete its announcement."""
        with self.audit.atomic():
            self.forget()
            said: dict[str, Any] = dict(details)
            self.audit.record(act, now, by=by, **said)

    def forget(self) -> None:
        """Delete an announcement in the open transaction."""
        if self.store.setting(_NOTED):
            self.store.put_setting(_NOTED, "")

    def complete(self) -> bool:
        """Write the entry of an act that a killed process had done; return whether it did."""
        noted = self.store.setting(_NOTED)
        if not noted:
            return False
        said = json.loads(noted)
        done = self._was_done(said["act"], said["details"])
        with self.audit.atomic():
            self.forget()
            if done:
                self.audit.record(said["act"], said["time"], by=said["by"], **said["details"])
        return done

    def _was_done(self, act: str, details: Mapping[str, int]) -> bool:
        """Return whether the keys are in the state after the act."""
        match act:
            case "keys.rotated":
                first = details["first_day"]
                known = self.keys.known_days(first)
                return len(known) > 1 and known[-1].chain > known[-2].chain
            case "keys.quarantined":
                return all(self.keys.quarantined([details["last_day"]]))
            case _:
                oldest = self.keys.oldest_day
                return oldest is not None and oldest >= details["before_day"]
