"""Published secrets against what was heard, in the three designs: each secret is derived once."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tracetogether.diagnosis import HeardTokens, tokens_as_text
from tracetogether.dp3t.keys import (
    EPHID_BYTES,
    EPOCH_S,
    EPOCHS_PER_DAY,
    day_ephids,
    day_keys,
    observations,
    window_ephids,
)
from tracetogether.dp3t.report import PublishedFilter, PublishedSecrets
from tracetogether.labels import Labels
from tracetogether.sightings import Sightings
from tracetogether.units import SECONDS_PER_DAY, Bytes2D, Ints


def low_cost_span(day: int, published: float) -> tuple[float, float]:
    """Return when an EphID of ``day`` counts: [begin, end), epoch seconds.

    Its whole UTC day, for nobody knows in which order a phone sent the day's EphIDs; and not after
    its key was published, when anybody can send it.
    """
    begin = float(day * SECONDS_PER_DAY)
    return begin, max(begin, min(begin + SECONDS_PER_DAY, published))


def hybrid_span(window: int, window_s: int) -> tuple[float, float]:
    """Return when an EphID of ``window`` counts: within it, [begin, end), epoch seconds."""
    return float(window * window_s), float((window + 1) * window_s)


def unlinkable_span(epoch: int) -> tuple[float, float]:
    """Return when an EphID of ``epoch`` counts: within its 15 minutes, [begin, end)."""
    return float(epoch * EPOCH_S), float((epoch + 1) * EPOCH_S)


@dataclass(frozen=True, slots=True)
class EphidMatches:
    """Readings of diagnosed people, k of them in the order of the log, each once.

    Attributes:
        row: (k,) row of the log.
        secret: (k,) row of the published secrets.
        derived: how many day keys or windows were derived.
        searched: how many EphIDs were searched for.
    """

    row: Ints
    secret: Ints
    derived: int
    searched: int


def low_cost_matches(log: Sightings, published: PublishedSecrets) -> EphidMatches:
    """Return the readings of EphIDs that follow from published day keys, heard on their day."""
    last = int(published.published // SECONDS_PER_DAY)
    secrets = published.secrets
    counts = np.clip(last - secrets.number + 1, 0, None)
    keys = [
        key
        for first, count in zip(secrets.listed(), counts.tolist(), strict=True)
        if count
        for key in day_keys(first, count)
    ]
    person = np.repeat(np.arange(len(secrets)), counts)
    begin = np.cumsum(counts) - counts
    day = secrets.number[person] + np.arange(len(person)) - begin[person]
    found = _found(log, day, SECONDS_PER_DAY, day_ephids(keys), EPOCHS_PER_DAY)
    in_time = log.time[found.row] < published.published
    row, secret = found.row[in_time], person[found.secret[in_time]]
    return EphidMatches(row, secret, found.derived, found.searched)


def hybrid_matches(log: Sightings, published: PublishedSecrets) -> EphidMatches:
    """Return the readings of EphIDs of published windows, heard within their window."""
    secrets, window_s = published.secrets, published.window_s
    sent = window_ephids(secrets.listed(), window_s)
    return _found(log, secrets.number, window_s, sent, window_s // EPOCH_S)


def low_cost_near(log: Sightings, published: PublishedSecrets) -> Sightings:
    """Return the readings that count; the peer is a person's first published key."""
    return _named(log, low_cost_matches(log, published), published.secrets.secret)


def hybrid_near(log: Sightings, published: PublishedSecrets) -> Sightings:
    """Return the readings that count; the peer is a window's seed: windows can't be linked."""
    return _named(log, hybrid_matches(log, published), published.secrets.secret)


def unlinkable_near(log: Sightings, published: PublishedFilter) -> Sightings:
    """Return the readings whose hash is in the filter; the peer is the EphID itself.

    A phone keeps the hash of each EphID with its own epoch, so that an EphID that is sent again
    in a later epoch has another hash. Each distinct pair is hashed once for all phones.
    """
    heard = HeardTokens.of(log, EPHID_BYTES, EPHID_BYTES)
    token = np.repeat(np.arange(len(heard.tokens)), np.diff(heard.first))
    epoch = np.floor_divide(log.time[heard.rows], EPOCH_S).astype(np.int64)
    datable = (epoch >= 0) & (epoch < 2**32)
    token, epoch, row = token[datable], epoch[datable], heard.rows[datable]
    pairs, of_row = np.unique(token << 32 | epoch, return_inverse=True)
    ephids = (heard.tokens[each].tobytes() for each in (pairs >> 32).tolist())
    listed = published.cuckoo.holds(observations(ephids, pairs & 0xFFFFFFFF))
    return log.take(np.sort(row[listed[of_row]])).replaced(notes=())


def _found(
    log: Sightings, number: Ints, length_s: int, sent: Iterable[Bytes2D], each: int
) -> EphidMatches:
    """Return the readings of EphIDs that are heard within their secret's own time.

    Args:
        log: what was heard.
        number: (n,) of each secret's time.
        length_s: how long that is.
        sent: the EphIDs of the secrets in order, ``each`` of every one.
        each: how many.
    """
    heard = HeardTokens.of(log, EPHID_BYTES, EPHID_BYTES)
    known = heard.index()
    rows, owners = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    done = 0
    for ephids in sent:
        candidate, row = heard.rows_of(known.find(ephids))
        owner = done + candidate // each
        in_time = np.floor_divide(log.time[row], length_s) == number[owner]
        rows.append(row[in_time])
        owners.append(owner[in_time])
        done += len(ephids) // each
    row, first = np.unique(np.concatenate(rows), return_index=True)
    return EphidMatches(row, np.concatenate(owners)[first], done, done * each)


def _named(log: Sightings, found: EphidMatches, secrets: Bytes2D) -> Sightings:
    distinct, code = np.unique(found.secret, return_inverse=True)
    names = tuple(tokens_as_text(secrets[distinct]))
    # Equal secrets published twice are one name.
    first = {name: place for place, name in reversed(list(enumerate(names)))}
    table = np.array([first[name] for name in names], dtype=np.int32)
    peer = Labels(table[code], names)
    return log.take(found.row).replaced(peer=peer, notes=())
