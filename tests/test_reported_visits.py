"""Which reported visits and trips the authority believes, and how each refusal is named."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.authority_world import DAY, NOON
from tests.presence_world import PresenceWorld
from tracetogether.authority.presence.plausibility import (
    Reporter,
    believed_trips,
    believed_visits,
)
from tracetogether.authority.presence.reported import ReportedVisit, VisitRefusal
from tracetogether.authority.presence.taking import SentVisit
from tracetogether.parameters import VISIT_REPORTS
from tracetogether.units import SECONDS_PER_DAY

HOUR, MINUTE = 3_600.0, 60.0
A, B = b"A" * 32, b"B" * 32
NOW = Reporter(NOON, DAY - 10)


def visit(start: float, minutes: float, location_id: bytes = A, **more: float) -> ReportedVisit:
    return ReportedVisit(location_id, start, start + minutes * MINUTE, **more)  # type: ignore[arg-type]


def refused(*sent: ReportedVisit, before: tuple[ReportedVisit, ...] = ()) -> dict[int, str]:
    found = believed_visits(sent, before, NOW)
    assert len(found.kept) + len(found.refused) == len(sent)
    return {place: why.value for place, why in found.refused.items()}


@pytest.mark.parametrize(
    ("at_edge", "over", "why"),
    [
        (visit(NOON - HOUR, 10), visit(NOON - HOUR, 9.9), "too_short"),
        (visit(NOON - 30 * HOUR, 1_440), visit(NOON - 30 * HOUR, 1_440.1), "too_long"),
        (visit(NOON - HOUR, 65), visit(NOON - HOUR, 65.1), "in_future"),
        (
            visit((DAY - 10) * SECONDS_PER_DAY, 60),
            visit((DAY - 10) * SECONDS_PER_DAY - 1, 60),
            "before_registration",
        ),
        (
            visit(NOON - 2 * HOUR, 60, opens=NOON - 1.5 * HOUR),
            visit(NOON - 2 * HOUR, 60, opens=NOON - 1.4 * HOUR),
            "outside_window",
        ),
        (
            visit(NOON - 2 * HOUR, 60, closes=NOON - 1.5 * HOUR),
            visit(NOON - 2 * HOUR, 60, closes=NOON - 1.6 * HOUR),
            "outside_window",
        ),
    ],
)
def test_each_bound_accepts_at_its_edge_and_refuses_over_it(
    at_edge: ReportedVisit, over: ReportedVisit, why: str
) -> None:
    assert refused(at_edge) == {}
    assert refused(over) == {0: why}


def test_visits_older_than_fourteen_days_are_refused() -> None:
    old = visit(NOON - 14 * SECONDS_PER_DAY - HOUR, 60)
    known = Reporter(NOON)
    assert believed_visits([old], [], known).refused == {}
    older = replace(old, end=old.end - 1)
    assert believed_visits([older], [], known).refused == {0: VisitRefusal.TOO_OLD}


@pytest.mark.parametrize("start", [math.nan, math.inf, -math.inf])
def test_times_that_are_no_numbers_are_refused(start: float) -> None:
    assert refused(ReportedVisit(A, start, NOON)) == {0: "backwards"}
    assert refused(ReportedVisit(A, NOON - HOUR, start)) == {0: "backwards"}


def test_nobody_is_at_two_places_and_the_rest_of_the_message_is_kept() -> None:
    sent = (
        visit(NOON - 2 * HOUR, 60, A),
        visit(NOON - 1.5 * HOUR, 60, B),
        visit(NOON - 0.5 * HOUR, 30, B),
        visit(NOON - HOUR, 30, A),
        visit(NOON - HOUR, 20, A),
    )
    assert refused(*sent) == {1: "two_places", 3: "twice"}


def test_what_was_kept_earlier_counts() -> None:
    earlier = visit(NOON - 3 * HOUR, 60, A)
    assert refused(visit(NOON - 2.5 * HOUR, 20, B), before=(earlier,)) == {0: "two_places"}
    assert refused(visit(NOON - 4 * HOUR, 90, A), before=(earlier,)) == {0: "twice"}
    assert refused(visit(NOON - 2 * HOUR, 20, B), before=(earlier,)) == {}


def test_a_day_has_twenty_visits_and_the_next_day_its_own() -> None:
    start = DAY * SECONDS_PER_DAY - SECONDS_PER_DAY
    many = [visit(start + n * HOUR, 30) for n in range(24)]
    assert refused(*many, visit(start + 25 * HOUR, 30)) == dict.fromkeys(range(20, 24), "too_many")
    assert refused(many[20], before=tuple(many[:20])) == {0: "too_many"}


def test_kept_visits_never_overlap_whatever_is_sent() -> None:
    draw = np.random.default_rng(18)
    for _ in range(50):
        sent = [
            visit(NOON - draw.uniform(0, 40) * HOUR, draw.uniform(10, 400), A if place % 3 else B)
            for place in range(40)
        ]
        found = believed_visits(sent, [], Reporter(NOON + 20 * HOUR))
        times = sorted((row.start, row.end) for row in found.kept)
        assert all(first[1] <= then[0] for first, then in pairwise(times))
        assert len(found.kept) + len(found.refused) == 40


@pytest.mark.parametrize("text", ["NZCOVIDTRACER:e30", "UKC19TRACING:1:a.b.c", "", "x" * 5_000])
def test_posters_whose_places_can_be_guessed_are_refused(text: str) -> None:
    world = PresenceWorld.new()
    receipt = world.report(world.case_of(), [SentVisit(text, NOON - 2 * HOUR, NOON - HOUR)])
    assert receipt.refused_visits == {0: VisitRefusal.UNREADABLE_POSTER}


def test_trips_have_dates_of_fourteen_days_and_come_once() -> None:
    oldest = DAY - VISIT_REPORTS.reaches_back_s // SECONDS_PER_DAY
    sent = [(DAY, "G1"), (DAY, "G1"), (DAY + 1, "G2"), (DAY + 2, "G3"), (oldest - 1, "G4")]
    found = believed_trips(sent, [(DAY, "G9")], Reporter(NOON))
    assert found.kept == ("G1", "G2")
    assert {place: why.value for place, why in found.refused.items()} == {
        1: "twice",
        3: "in_future",
        4: "too_old",
    }
    late = believed_trips(
        [(DAY - 5, "G1"), (DAY - 4, "G2")], [(DAY, "G9")], Reporter(NOON, DAY - 3)
    )
    assert late.refused == {0: VisitRefusal.BEFORE_REGISTRATION}
    many = believed_trips([(DAY, n) for n in range(22)], [(DAY, -1)], Reporter(NOON))
    assert many.refused == dict.fromkeys((19, 20, 21), VisitRefusal.TOO_MANY)
