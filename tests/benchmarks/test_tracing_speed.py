"""Tracing per CPU-second, beside opening the log alone, in the same run.

    pytest tests/benchmarks/test_tracing_speed.py --benchmark-enable -s

CPU time of this process, the best of several runs; without --benchmark-enable one small run, which
checks the counted work alone.
"""

import os

from tests.authority_world import NOON, World
from tests.benchmarks.processor import cpu_s
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.contacts.nearness import nearness
from tracetogether.parameters import SINGAPORE_POLICY
from tracetogether.sightings import Sighting
from tracetogether.units import SECONDS_PER_DAY

VISITS = 4


def fortnight(world: World, people: int, records: int) -> list[Sighting]:
    """Return what a phone received in 14 days from ``people`` people, each on four days."""
    minutes = records / people / VISITS * 0.75
    rows: list[Sighting] = []
    for person in range(people):
        user_id = world.user()
        for visit in range(VISITS):
            at = NOON - (1 + (person + 3 * visit) % 13) * SECONDS_PER_DAY + person % 29 * 1_000
            rssi = -50.0 - 10 * (person % 4)
            rows += world.heard(user_id, at, minutes, every_s=45.0, rssi_dbm=rssi)
    return sorted(rows, key=lambda row: row.time)


def test_tracing_a_large_log(*, full: bool) -> None:
    for people in (100, 1_000) if full else (20,):
        world = World.of(os.urandom)
        rows = fortnight(world, people, 20_000 if full else 800)
        case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
        world.take(case, rows, NOON)
        tracing = world.authority.tracing
        times = 5 if full else 1
        evidence = tracing.logs.evidence(case)
        opening = cpu_s(lambda: tracing.logs.evidence(case), times)  # noqa: B023 - called at once
        near = cpu_s(lambda: nearness(evidence.own, SINGAPORE_POLICY), times)  # noqa: B023
        found = tracing.contacts(case, by=CONSOLE)
        assert (found.records, found.in_span) == (len(rows), len(rows))
        assert len(found.contacts) == people
        assert sum(contact.encounters for contact in found.contacts) == people * VISITS
        whole = cpu_s(lambda: tracing.contacts(case, believe_quarantined=True, by=CONSOLE), times)  # noqa: B023
        kept = cpu_s(lambda: tracing.contacts(case, by=CONSOLE), times)  # noqa: B023
        print(
            f"\n{len(rows)} records of {people} people: {len(rows) / whole:,.0f} records/CPU-s, "
            f"{whole / opening:.1f} times opening alone ({1e3 * opening:.0f} ms); "
            f"nearness {1e3 * near:.0f} ms; a kept list {1e3 * kept:.0f} ms"
        )
