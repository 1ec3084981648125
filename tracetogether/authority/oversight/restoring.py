"""Restore a backup: carry over what is newer than it and must not be undone."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from math import inf

from tracetogether.authority.access.audit import Audit, AuditEntry
from tracetogether.authority.access.credentials import withdrawal_digest
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.cases.followed import person_tags
from tracetogether.authority.intake.uploads import unseal
from tracetogether.authority.open_data.store import OPEN_DATA_FROM
from tracetogether.authority.oversight.carrying import (
    carry_charges,
    carry_records,
    keep_partners_out,
    keep_warnings_back,
)
from tracetogether.authority.oversight.custody import CHECK_VALUE
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.presence.publishing import TRIPS_KIND, WARNINGS_KIND
from tracetogether.authority.presence.reported import KeptPackage
from tracetogether.authority.status.restriction import Ending
from tracetogether.crypto import equal
from tracetogether.errors import ConflictError, KeyRingError, SealError
from tracetogether.keyring import KeyRing


@dataclass(frozen=True, slots=True)
class Revoked:
    """What was revoked, as a list beside the database has it: for a database that is damaged.

    Attributes:
        withdrawals: when a user withdrew (epoch seconds), by digest of the user id.
        disabled: names of operators who were disabled.
        passwords: when an operator's password was set last (epoch seconds), by name.
        retired: ids of places that have retired.
        partners: when a partner was removed last (epoch seconds), by its fingerprint.
        kept_back: ids of visits and trips whose warnings tracers keep back.
        roles: the roles that an operator had last, by name, where they were ever changed.
        charges: numbers of charges for people without a phone that have ended.
    """

    withdrawals: Mapping[bytes, float] = field(default_factory=dict)
    disabled: frozenset[str] = frozenset()
    passwords: Mapping[str, float] = field(default_factory=dict)
    retired: frozenset[str] = frozenset()
    partners: Mapping[str, float] = field(default_factory=dict)
    kept_back: frozenset[str] = frozenset()
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    charges: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Carried:
    """The numbers of things that a restore does not bring back.

    Attributes:
        withdrawn: users of the backup who have withdrawn since.
        disabled: operators of the backup who were disabled since.
        roles: operators who have a role in the backup that was taken from them since.
        passwords: operators whose password or codes in the backup are old ones.
        sessions: operators' sessions in the backup, which end.
        pins: upload PINs in the backup, which are void.
        audit_entries: entries of the audit log that are newer than the backup, and stay.
    """

    withdrawn: int = 0
    disabled: int = 0
    roles: int = 0
    passwords: int = 0
    sessions: int = 0
    pins: int = 0
    audit_entries: int = 0


def in_use(store: AuthorityStore, now: float) -> bool:
    """Return whether an authority has users, cases or uploads."""
    counts = store.counts(now)
    return bool(counts.users or counts.cases or counts.uploads)


def same_authority(first: AuthorityStore, second: AuthorityStore) -> bool:
    """Return whether two databases belong to one authority.

    They share an operator: none is ever deleted, and each token has 256 random bits.
    """
    tokens = [
        {operator.token_digest for operator in store.operators()} for store in (first, second)
    ]
    return not tokens[0].isdisjoint(tokens[1])


def current_state(
    present: AuthorityStore | None, backup: AuthorityStore, now: float
) -> AuthorityStore | None:
    """Return the database whose state must outlast the restore; None if there is none.

    An empty database of another authority (as ``init`` makes it) is no state of this one.

    Raises:
        ConflictError: the backup is another authority's.
    """
    if present is None or same_authority(present, backup):
        return present
    if in_use(present, now) or present.name != backup.name:
        msg = (
            f"this is the backup of another authority ({backup.name}): restore it into a folder "
            "of its own, made by `tracetogether authority init`"
        )
        raise ConflictError(msg, "backup-of-other-authority")
    return None


def keys_fit(backup: AuthorityStore, keys: KeyRing) -> bool | None:
    """Return whether the keys open what the backup has sealed; None if nothing tells."""
    noted = backup.settings().get(CHECK_VALUE)
    if noted is not None:
        return keys.fits(noted).same_authority
    for case_id, _ in reversed(backup.all_upload_ids()):
        for upload in backup.uploads(case_id):
            try:
                unseal(upload, keys)
            except KeyRingError:  # destroyed on time
                continue
            except SealError:
                return False
            return True
    return None


def carry_over(
    present: AuthorityStore | None,
    restored: AuthorityStore,
    revoked: Revoked,
    keys: KeyRing,
    now: float,
) -> Carried:
    """Make a backup the present state, in one transaction; return what it does not bring back.

    Users who withdrew stay deleted. Operators are as they are at present: a disabled operator
    stays so, old passwords stay dead, sessions end. PINs are void, used upload tokens stay used,
    and requests that were counted stay counted. Retired places stay retired, screens that were
    ended stay ended. What everybody has read stays: warnings, and figures, so that no day is
    published a second time. Decisions on warnings stay. So does what partners sent, and what was
    sent to them; removed partners stay removed. Ended charges stay ended, and used codes used.
    Orders, restrictions and appeals are as they are at present; where ``present`` is None, the
    restrictions of the backup end, since nobody knows which were lifted since, and so do its
    screens. The audit log goes on where it has come to.

    Args:
        present: the database that is replaced; None if it is empty or can't be read.
        restored: the backup, of this program's schema; it is changed.
        revoked: the list beside the database, which counts where ``present`` is None.
        keys: the authority's.
        now: epoch seconds.
    """
    with restored.atomic():
        entries, broken_off = _go_on_with_audit(present, restored)
        withdrawn = _remove_withdrawn(present, restored, revoked, keys, now)
        operators = (
            _revoke_operators(restored, revoked)
            if present is None
            else _take_operators(present, restored)
        )
        for reset in restored.code_resets():  # who asked then may have withdrawn it since
            restored.drop_code_reset(reset.name)
        carried = replace(
            operators,
            withdrawn=withdrawn,
            sessions=restored.drop_all_sessions(),
            pins=restored.drop_all_pins(),
            audit_entries=entries,
        )
        if present is not None:
            carry_records(present, restored)  # before their tokens count as used
            restored.add_used_tokens(present.used_tokens())
            restored.raise_counts(present.all_counts())
            for name, value in present.settings().items():
                restored.put_setting(name, value)
        else:
            keep_partners_out(restored, revoked.partners, now)
            keep_warnings_back(restored, revoked.kept_back, now)
        _carry_places(present, restored, revoked, now)
        _carry_screens(present, restored)
        carry_charges(present, restored, revoked.charges)
        _carry_published(present, restored, now)
        _carry_status(present, restored, now)
        said = asdict(carried) | broken_off
        Audit(restored).record("backup.restored", now, by=CONSOLE.name, **said)
    return carried


def _carry_places(
    present: AuthorityStore | None, restored: AuthorityStore, revoked: Revoked, now: float
) -> None:
    """Take the present places over; retire those of the backup that have retired since."""
    if present is not None:
        for place in present.places.all():
            if not restored.places.change(place):
                restored.places.add(place)
    for place in restored.places.all():
        # A place that has retired is deleted after a while, one in service never is.
        gone = present is not None and present.places.place(place.place_id) is None
        if place.retired_at is None and (gone or place.place_id in revoked.retired):
            restored.places.change(replace(place, retired_at=now, retired_by=CONSOLE.name))


def _carry_screens(present: AuthorityStore | None, restored: AuthorityStore) -> None:
    """Replace the backup's screens by the present ones, or by none if nobody knows them."""
    for screen in restored.screens():
        restored.drop_screen(screen.name)
    for screen in () if present is None else present.screens():
        restored.put_screen(screen)


def _carry_published(present: AuthorityStore | None, restored: AuthorityStore, now: float) -> None:
    """Take over what everybody has read, and what was decided on warnings.

    A day that is published twice shows more of a person than one that is published once. Where
    nobody knows which days are out, those that ended before the restore are never published.
    """
    if present is None:
        restored.put_setting(OPEN_DATA_FROM, repr(now))
        return
    for day in present.open_data.published():
        restored.open_data.publish(day)
    kept, newer = restored.presence, present.presence
    for kind in (WARNINGS_KIND, TRIPS_KIND):
        for line in newer.packages(kind):
            body = newer.package(kind, line.number, line.edition)
            if body is not None:
                kept.add_package(KeptPackage(kind, line.number, line.edition, body, line.entries))
    for visit in (*kept.waiting_visits(), *kept.released_visits(inf)):
        decided = newer.visit(visit.visit_id)
        if decided is not None:
            kept.change_visit(decided)
    for trip in kept.waiting_trips():
        stated = newer.trip(trip.trip_id)
        if stated is not None:
            kept.change_trip(stated)


def _carry_status(present: AuthorityStore | None, restored: AuthorityStore, now: float) -> None:
    """Take the present orders, restrictions and appeals over; without them, end the backup's."""
    kept = restored.status
    if present is None:
        ended = 0
        for found in kept.not_over(now):
            free = replace(found, ended_at=now, ended_by=CONSOLE.name, ending=Ending.LIFTED)
            ended += kept.change_restriction(free)
        if ended:
            name = CONSOLE.name
            Audit(restored).record("restrictions.ended-by-restore", now, by=name, count=ended)
        return
    for order in present.status.orders():
        if not kept.add_order(order):
            kept.change_order(order)
    for restriction in present.status.restrictions_since(0.0):
        known = restored.has_user(restriction.user_id)  # others registered after the backup
        if known and not kept.add_restriction(restriction):
            kept.change_restriction(restriction)
    for appeal in present.status.appeals():
        known = kept.restriction(appeal.restriction_id) is not None
        if known and not kept.add_appeal(appeal):
            kept.change_appeal(appeal)


def _go_on_with_audit(
    present: AuthorityStore | None, restored: AuthorityStore
) -> tuple[int, dict[str, str | int]]:
    """Append what the present log has beyond the backup's; return how much that is.

    Where the logs have parted, the backup's is kept, and the other's end is noted.
    """
    if present is None:
        return 0, {}
    number, digest = restored.last_audit()
    before: Iterable[tuple[AuditEntry, bytes]] = present.audit(max(number - 1, 0), 1)
    if number and not any(equal(kept, digest) for _, kept in before):
        other, end = present.last_audit()
        return 0, {"other_log_entries": other, "other_log_head": end.hex()}
    appended = 0
    for entry, _ in present.audit(number):
        restored.add_audit(entry)
        appended += 1
    return appended, {}


def _remove_withdrawn(
    present: AuthorityStore | None,
    restored: AuthorityStore,
    revoked: Revoked,
    keys: KeyRing,
    now: float,
) -> int:
    known = dict(restored.withdrawals())
    if present is None:
        known |= revoked.withdrawals
    else:
        known |= dict(present.withdrawals())
    for digest, at in known.items():
        restored.add_withdrawal(digest, at)
    gone = [user_id for user_id in restored.all_users() if withdrawal_digest(user_id) in known]
    for user_id in gone:
        restored.desk.drop_tagged(person_tags(user_id, now, keys))
        restored.remove_user(user_id)
    return len(gone)


def _take_operators(present: AuthorityStore, restored: AuthorityStore) -> Carried:
    """Take the present operators over; return what of the backup's does not come back."""
    of_backup = {operator.name: operator for operator in restored.operators()}
    disabled = fewer = passwords = 0
    for operator in present.operators():
        earlier = of_backup.get(operator.name)
        shut_out = operator.disabled or (earlier is not None and earlier.disabled)
        disabled += shut_out and earlier is not None and not earlier.disabled
        fewer += earlier is not None and not shut_out and not earlier.roles <= operator.roles
        restored.put_operator(replace(operator, disabled=shut_out))
        kept, old = (
            present.sign_ins.password(operator.name),
            restored.sign_ins.password(operator.name),
        )
        if kept is not None:
            passwords += old is not None and (
                old.salt != kept.salt or old.sealed_secret not in {b"", kept.sealed_secret}
            )
            restored.sign_ins.put_password(kept)
    return Carried(disabled=disabled, roles=fewer, passwords=passwords)


def _revoke_operators(restored: AuthorityStore, revoked: Revoked) -> Carried:
    """Apply the list beside the database; return what of the backup does not come back.

    Nobody has a role that the list doesn't have for them. Who is left without any is disabled.
    """
    disabled = fewer = passwords = 0
    newest = max((entry.time for entry, _ in restored.audit()), default=0.0)
    for operator in restored.operators():
        if operator.name in revoked.disabled and not operator.disabled:
            restored.put_operator(replace(operator, disabled=True))
            disabled += 1
        elif operator.name in revoked.roles and not operator.disabled:
            held = revoked.roles[operator.name]
            left = frozenset(role for role in operator.roles if role.value in held)
            if left != operator.roles:
                restored.put_operator(replace(operator, roles=left, disabled=not left))
                fewer += 1
        set_at = revoked.passwords.get(operator.name)
        if set_at is not None and set_at > newest:
            passwords += restored.sign_ins.drop_password(operator.name)
    return Carried(disabled=disabled, roles=fewer, passwords=passwords)
