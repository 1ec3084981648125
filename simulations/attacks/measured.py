"""Attacks played against the real code of each protocol; each row has its exact expectation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from simulations.attacks.expectations import (
    LAST_ACCEPTED_S,
    LINKED_S,
    bits_learned,
    known_edges,
    linked_share,
)
from simulations.attacks.victims import BEGIN, DAYS, END, VICTIMS, Victim, reading_log
from simulations.streams import Streams
from tracetogether.labels import Labels
from tracetogether.units import SECONDS_PER_DAY, Floats

_NORMAL_90: Final = 1.6449  # standard errors to either side of the middle 90 %
_LONGEST_S: Final = 13 * SECONDS_PER_DAY
_PEOPLE: Final = 200
_CONTACTS: Final = 1_000
_DIAGNOSED: Final = 0.2


@dataclass(frozen=True, slots=True)
class AttackRow:
    """One measured figure.

    Attributes:
        protocol: its name.
        metric: what was measured.
        value: the mean; None where there is no limit.
        low, high: the central 90 % of the mean's error.
        expected: the exact expectation, None where there is no limit.
        source: where the expectation comes from.
    """

    protocol: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    expected: float | None
    source: str

    def to_json(self) -> dict[str, object]:
        """Return the fields for a file."""
        return asdict(self)


def pairs_linked(peers: Labels, sightings: int) -> float:
    """Return the share of all pairs of ``sightings`` that have the same known pseudonym."""
    sizes = np.bincount(peers.codes[peers.codes >= 0], minlength=1).astype(np.float64)
    return float((sizes * (sizes - 1)).sum() / (sightings * (sightings - 1)))


def linked_by_public(victim: Victim, times: Floats) -> float:
    """Return the share of pairs of sightings of a victim that an outsider links after the upload.

    Args:
        victim: who was seen.
        times: (n,) of the sightings, epoch seconds within the victim's days.
    """
    if not victim.public:
        return pairs_linked(Labels.constant(None, len(times)), len(times))
    return pairs_linked(victim.counted(reading_log(victim.sent(times), times)).peer, len(times))


def last_accepted(victim: Victim, longest_s: int = _LONGEST_S) -> int | None:
    """Return the greatest delay, whole seconds, at which a token played again counts.

    The token is recorded at a victim's first second and played to other phones later. None if it
    counts at ``longest_s`` too; -1 if it never does.
    """
    time = np.array([float(BEGIN)])
    (token,) = victim.sent(time)

    def counts(delay: int) -> bool:
        return len(victim.counted(reading_log([token], time + delay))) > 0

    if counts(longest_s):
        return None
    accepted, refused = -1, longest_s
    while refused - accepted > 1:
        middle = (accepted + refused) // 2
        if counts(middle):
            accepted = middle
        else:
            refused = middle
    return accepted


def linkability(names: Sequence[str], seed: int, repeats: int, sightings: int) -> list[AttackRow]:
    """Return the linked share of each protocol: sightings at uniform times over 14 days."""
    rows = []
    for name in names:
        shares = []
        for repeat in range(repeats):
            streams = Streams(seed)
            victim = VICTIMS[name](streams.entropy("victim", name, repeat))
            chance = streams.generator("sightings", name, repeat)
            shares.append(linked_by_public(victim, np.sort(chance.uniform(BEGIN, END, sightings))))
        expected = linked_share(LINKED_S[name])
        source = f"exact: window / {DAYS} days" if expected else "exact: nothing is published"
        rows.append(_mean(name, "linked_share", shares, expected, source))
    return rows


def replay(names: Sequence[str], seed: int, repeats: int, sightings: int) -> list[AttackRow]:
    """Return the last accepted delay of each protocol; bisection finds the exact edge."""
    del repeats, sightings  # the edge is the same each time
    rows = []
    for name in names:
        value = last_accepted(VICTIMS[name](Streams(seed).entropy("victim", name)))
        source = "exact: tokens and clocks" if value is not None else "exact: no time is bound"
        expected = LAST_ACCEPTED_S[name]
        rows.append(AttackRow(name, "last_accepted_s", value, value, value, expected, source))
    return rows


def authority_view(
    names: Sequence[str], seed: int, repeats: int, sightings: int
) -> list[AttackRow]:
    """Return the share of contacts that the authority learns, and the bits of the graph.

    People meet at random; those diagnosed hand over whole logs. Where the server opens tokens
    (``Victim.named``), it learns both ends of each contact in them. Elsewhere people hand over
    their own keys, or tokens that name nobody (DESIRE).
    """
    del sightings
    rows = []
    for name in names:
        learns = VICTIMS[name](Streams(seed).entropy("victim", name)).named
        shares, bits = [], []
        for repeat in range(repeats):
            chance = Streams(seed).generator("graph", repeat)
            pairs = chance.choice(_PEOPLE * (_PEOPLE - 1) // 2, _CONTACTS, replace=False)
            first, second = (ends[pairs] for ends in np.triu_indices(_PEOPLE, 1))
            ill = chance.random(_PEOPLE) < _DIAGNOSED
            known = int((ill[first] | ill[second]).sum()) if learns else 0
            shares.append(known / _CONTACTS)
            logs = int(ill.sum()) if learns else 0
            bits.append(bits_learned(_PEOPLE, _CONTACTS, logs, known) / max(int(ill.sum()), 1))
        expected = known_edges(_DIAGNOSED) if learns else 0.0
        source = "exact: 1 - (1 - u)^2" if learns else "exact: no contact is handed over"
        rows.append(_mean(name, "edges_known", shares, expected, source))
        rows.append(_mean(name, "bits_per_case", bits, None, "counted graphs, given the view"))
    return rows


def _mean(
    name: str, metric: str, values: Sequence[float], expected: float | None, source: str
) -> AttackRow:
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    spread = _NORMAL_90 * error
    return AttackRow(name, metric, mean, mean - spread, mean + spread, expected, source)


Attack = Callable[[Sequence[str], int, int, int], list[AttackRow]]

ATTACKS: Final[Mapping[str, Attack]] = {
    "linkability": linkability,
    "replay": replay,
    "graph": authority_view,
}
"""Name of an attack -> a function of protocols, seed, repeats and sightings a person."""
