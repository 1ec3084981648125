"""revoked.txt: what no backup may bring back; stored beside the database, which may be damaged."""

import os
import time
from pathlib import Path
from typing import Final

from tracetogether.authority.oversight.restoring import Revoked
from tracetogether.authority.oversight.store import AuthorityStore
from tracetogether.authority.partners.removed import MOST_DAYS, removed_partners
from tracetogether.cli.folder_locks import locked
from tracetogether.errors import StoreError
from tracetogether.parameters import RETENTION
from tracetogether.units import SECONDS_PER_DAY
from tracetogether.whole_file import PRIVATE, read_secret, write_whole

REVOKED: Final = "revoked.txt"
WITHDRAWN, DISABLED, PASSWORD, RETIRED = "withdrawn", "disabled", "password", "retired"
PARTNER, KEPT_BACK, ROLES, CHARGE = "partner", "kept-back", "roles", "charge"
_KEPT_S: Final = {
    WITHDRAWN: RETENTION.withdrawals_s,
    KEPT_BACK: RETENTION.withdrawals_s,
    CHARGE: RETENTION.withdrawals_s,
    PARTNER: MOST_DAYS * SECONDS_PER_DAY,
}
"""How long lines stay; those of other kinds stay for good."""


def append_revoked(folder: Path, kind: str, subject: str) -> None:
    """Append a line: its kind, the digest, name or id that it is about, and the time.

    Roles are those that an operator has from then on: `roles ravi:issuer,tracer 1605096000.000`.

    Raises:
        StoreError: it can't be written.
    """
    path = folder / REVOKED
    line = f"{kind} {subject} {time.time():.3f}\n".encode()
    try:
        with locked(folder):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE)
            try:
                before = os.fstat(descriptor).st_size
                if os.write(descriptor, line) != len(line):
                    os.ftruncate(descriptor, before)
                    msg = f"can't write {path}: free some space on that disk and try again"
                    raise StoreError(msg)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except OSError as error:
        msg = f"can't write {path}: {error.strerror or error}"
        raise StoreError(msg) from None


def read_revoked(folder: Path) -> Revoked:
    """Return the entries of the list; no entries without a file.

    Raises:
        StoreError: it can't be read, or others can read it.
    """
    if not (folder / REVOKED).exists():
        return Revoked()
    withdrawals: dict[bytes, float] = {}
    passwords: dict[str, float] = {}
    partners: dict[str, float] = {}
    roles: dict[str, frozenset[str]] = {}
    named: dict[str, set[str]] = {kind: set() for kind in (DISABLED, RETIRED, KEPT_BACK, CHARGE)}
    for line in read_secret(folder / REVOKED).splitlines():
        try:
            kind, subject, at = line.split()
            if kind == WITHDRAWN:
                withdrawals[bytes.fromhex(subject)] = float(at)
            elif kind == PASSWORD:
                passwords[subject] = float(at)
            elif kind == PARTNER:
                partners[subject] = max(float(at), partners.get(subject, 0.0))
            elif kind == ROLES:
                name, _, held = subject.partition(":")
                roles[name] = frozenset(held.split(","))
            elif kind in named:
                named[kind].add(subject)
        except ValueError:  # a line that was cut off by a power cut
            continue
    return Revoked(
        withdrawals,
        frozenset(named[DISABLED]),
        passwords,
        frozenset(named[RETIRED]),
        partners,
        frozenset(named[KEPT_BACK]),
        roles,
        frozenset(named[CHARGE]),
    )


def update_revoked(folder: Path, store: AuthorityStore, now: float) -> None:
    """Update the list from the database: add what other machines revoked, drop old entries.

    Raises:
        StoreError: the list can't be read or written, or the database can't be read.
    """
    path = folder / REVOKED
    operators = store.operators()
    disabled = {operator.name for operator in operators if operator.disabled}
    held = {
        operator.name: frozenset(role.value for role in operator.roles)
        for operator in operators
        if not operator.disabled
    }
    withdrawn = dict(store.withdrawals())
    retired = {place.place_id for place in store.places.all() if place.retired_at is not None}
    with locked(folder):
        listed = read_revoked(folder)
        lines = read_secret(path).splitlines(keepends=True) if path.exists() else []
        kept = [line for line in lines if not _too_old(line, now)]
        kept += [
            f"{WITHDRAWN} {digest.hex()} {at:.3f}\n"
            for digest, at in withdrawn.items()
            if digest not in listed.withdrawals
        ]
        kept += [f"{DISABLED} {name} {now:.3f}\n" for name in sorted(disabled - listed.disabled)]
        kept += [f"{RETIRED} {place} {now:.3f}\n" for place in sorted(retired - listed.retired)]
        kept += [
            f"{PARTNER} {name} {at:.3f}\n"
            for name, at in sorted(removed_partners(store).items())
            if listed.partners.get(name, 0.0) < round(at, 3)
        ]
        back = sorted(set(store.presence.kept_back()) - listed.kept_back)
        kept += [f"{KEPT_BACK} {reported} {now:.3f}\n" for reported in back]
        kept += [
            f"{ROLES} {name}:{','.join(sorted(roles))} {now:.3f}\n"
            for name, roles in held.items()
            if listed.roles.get(name) != roles
        ]
        if kept != lines:
            write_whole(path, "".join(kept), mode=PRIVATE)


def _too_old(line: str, now: float) -> bool:
    words = line.split()
    try:
        return words[0] in _KEPT_S and float(words[2]) < now - _KEPT_S[words[0]]
    except (IndexError, ValueError):
        return False
