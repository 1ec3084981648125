"""Partners that were removed, and which a restored backup must not bring back."""

import json
from collections.abc import Mapping
from math import inf
from typing import Final

from tracetogether.authority.access.store import AccessStore
from tracetogether.authority.partners.partner import Partner, partners_in, partners_out
from tracetogether.units import SECONDS_PER_DAY

KEPT: Final = "partners"
"""The setting that keeps the partners."""
REVOKED_OF: Final = "partner-revoked:"
"""The beginning of the settings that keep the revoked passes of a partner."""
_REMOVED: Final = "partners-removed"
MOST_DAYS: Final = 366
"""How long a partner is recognised at most; its removal need not be known for longer."""


def listed_as(partner: Partner) -> str:
    """Return the name of a partner on the list of what no backup may bring back."""
    return partner.fingerprint.replace(" ", "")


def note_removed(store: AccessStore, partner: Partner, now: float) -> None:
    """Note a removal in the database, and on the list beside it."""
    name, since = listed_as(partner), now - MOST_DAYS * SECONDS_PER_DAY
    noted = {key: at for key, at in removed_partners(store).items() if at >= since}
    store.put_setting(_REMOVED, json.dumps(noted | {name: now}))
    store.note_revoked("partner", name)


def removed_partners(store: AccessStore) -> dict[str, float]:
    """Return when partners were removed last (epoch seconds), by ``listed_as``."""
    found: dict[str, float] = json.loads(store.setting(_REMOVED) or "{}")
    return found


def remove_again(store: AccessStore, removed: Mapping[str, float], now: float) -> list[str]:
    """Remove the partners of a restored backup that were removed since; return their codes.

    A partner that was added again after it was removed stays.

    Args:
        store: the restored one.
        removed: when partners were removed (epoch seconds), by ``listed_as``.
        now: epoch seconds.
    """
    kept, gone = [], []
    for partner in partners_in(store.setting(KEPT)):
        if removed.get(listed_as(partner), -inf) > partner.proposed_at:
            gone.append(partner)
        else:
            kept.append(partner)
    if gone:
        store.put_setting(KEPT, partners_out(kept))
        noted = removed_partners(store) | {listed_as(partner): now for partner in gone}
        store.put_setting(_REMOVED, json.dumps(noted))
    for partner in gone:
        store.put_setting(REVOKED_OF + partner.organisation, "")
    return [partner.organisation for partner in gone]
