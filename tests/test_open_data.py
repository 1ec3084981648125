"""Figures for everybody: exact noise, one person's bound, one publication, attackers."""

import csv
import io
import json
import math
import os
from collections import Counter
from dataclasses import replace
from itertools import combinations

import frictionless
import numpy as np
import pytest
import urllib3

from tests.authority_world import DAY, NOON
from tests.followed_rows import contact_row
from tests.status_world import TOM, StatusWorld
from tracetogether.adapters import http_api
from tracetogether.authority.access.permissions import CONSOLE, Caller, Role
from tracetogether.authority.cases.case import Case
from tracetogether.authority.cases.followed import ContactState, sealed_person
from tracetogether.authority.open_data.cells import FIGURE_NAMED, FIGURES, people_in_pairs
from tracetogether.authority.open_data.files import datapackage, figures_csv
from tracetogether.authority.open_data.noise import Draws, discrete_laplace, noise_within
from tracetogether.authority.open_data.publishing import OpenCell, OpenDay, noisy_cell
from tracetogether.authority.status.appeal import AppealState
from tracetogether.crypto import sha256
from tracetogether.errors import AccessDeniedError, ConflictError, InvalidRequestError
from tracetogether.local_days import UTC_DAYS, LocalDays
from tracetogether.parameters import OPEN_DATA
from tracetogether.units import SECONDS_PER_DAY

LATER = NOON + 2 * SECONDS_PER_DAY
SUPERVISOR = Caller("mei", frozenset({Role.SUPERVISOR}))
SETS = 10_000
KEYS = [sha256(number.to_bytes(4)) for number in range(SETS)]


# --- the noise ---


def probability(noise: int, scale: int) -> float:
    ratio = math.exp(-1 / scale)
    return (1 - ratio) / (1 + ratio) * ratio ** abs(noise)


@pytest.mark.parametrize("scale", [1, 2, 10])
def test_the_noise_is_discrete_laplace(scale: int) -> None:
    drawn = Counter(discrete_laplace(Draws(key, b"fit"), scale) for key in KEYS[:4_000])
    edge = 3 * scale
    expected = {noise: 4_000 * probability(noise, scale) for noise in range(-edge, edge + 1)}
    rest = 4_000 - sum(expected.values())
    seen = 4_000 - sum(drawn[noise] for noise in expected)
    chi = sum((drawn[noise] - many) ** 2 / many for noise, many in expected.items())
    chi += (seen - rest) ** 2 / rest
    freedom = len(expected)
    assert chi < freedom + 4 * math.sqrt(2 * freedom)


def test_draws_follow_from_key_and_message_alone_and_never_run_out() -> None:
    first, again, other = Draws(KEYS[0], b"a"), Draws(KEYS[0], b"a"), Draws(KEYS[0], b"b")
    drawn = [first.below(1_000) for _ in range(500)]  # 4,000 bytes: the stream grew four times
    assert drawn == [again.below(1_000) for _ in range(500)]
    assert drawn != [other.below(1_000) for _ in range(500)]
    assert abs(np.mean(drawn) - 499.5) < 60


@pytest.mark.parametrize("scale", [1, 2, 10])
def test_the_named_width_holds_95_percent_of_the_noise(scale: int) -> None:
    within = noise_within(scale)
    inside = sum(probability(noise, scale) for noise in range(-within, within + 1))
    assert inside >= 0.95 > inside - 2 * probability(within, scale)


# --- one person's bound ---


def test_one_person_less_changes_the_count_of_contacts_by_the_bound_at_most() -> None:
    draws = np.random.default_rng(5)
    largest = Counter[int]()
    for _ in range(600):
        drawn = draws.integers(0, draws.integers(3, 13), (draws.integers(1, 60), 2))
        pairs = [(str(case), str(contact)) for case, contact in drawn]
        for of_a_case in (1, 2, 3):
            for gone in {name for pair in pairs for name in pair}:
                left = [pair for pair in pairs if gone not in pair]
                change = people_in_pairs(pairs, of_a_case) - people_in_pairs(left, of_a_case)
                assert 0 <= change <= of_a_case + 1
                largest[of_a_case] = max(largest[of_a_case], change)
    assert largest == {1: 2, 2: 3, 3: 4}  # the bound is reached: it can't be lower


def test_a_case_with_hundreds_of_contacts_counts_as_little_as_any() -> None:
    crowd = [("a", str(contact)) for contact in range(300)]
    assert people_in_pairs(crowd, 9) == 9
    assert people_in_pairs([*crowd, ("b", "0"), ("b", "299")], 9) == 10  # 0 is counted already
    assert FIGURE_NAMED["contacts_found"].most == OPEN_DATA.contacts_of_a_case + 1


# --- 10,000 neighbouring data sets ---


def outcomes(name: str, count: int, keys: list[bytes], *, scale: int | None = None) -> Counter[int]:
    """Return how often each outcome came; blank is -1."""
    figure = FIGURE_NAMED[name]
    figure = figure if scale is None else replace(figure, most=scale)
    cells = (noisy_cell(figure, count, key, "SG_MOH/18386") for key in keys)
    return Counter(-1 if cell.people is None else cell.people for cell in cells)


def worst(one: Counter[int], other: Counter[int]) -> tuple[float, float]:
    """Return the largest odds ratio of events that 5 % show, and the surest one of all events.

    The second is the lower end of an interval of the log ratio, 4.5 standard errors wide on each
    side: over the 200 events here it lies above the true ratio once in a thousand tests.
    """
    seen = sorted(one | other)
    events = [{value} for value in seen]
    events += [set(seen[:place]) for place in range(1, len(seen))]
    events += [set(seen[place:]) for place in range(1, len(seen))]
    plain, sure = 0.0, 0.0
    for event in events:
        here, there = sum(one[value] for value in event), sum(other[value] for value in event)
        for more, less in ((here, there), (there, here)):
            if more >= SETS / 20:
                plain = max(plain, more / max(less, 1))
            if more and less:
                margin = 4.5 * math.sqrt(1 / more + 1 / less)
                sure = max(sure, math.exp(math.log(more / less) - margin))
            elif more:
                sure = max(sure, more / 12)  # fewer than 12 expected: 0 in e^-12 of all tests
    return plain, sure


@pytest.mark.parametrize(
    ("figure", "count"),
    [("cases_declared", 11), pytest.param("contacts_found", 40, marks=pytest.mark.slow)],
)
def test_one_person_more_shifts_no_events_odds_beyond_e(figure: str, count: int) -> None:
    one_more = count + FIGURE_NAMED[figure].most
    plain, sure = worst(outcomes(figure, count, KEYS), outcomes(figure, one_more, KEYS))
    assert 2.4 < plain <= math.e * 1.1
    assert sure <= math.e * 1.1


@pytest.mark.slow
def test_the_test_of_odds_finds_noise_that_is_too_small() -> None:
    bound = FIGURE_NAMED["contacts_found"].most
    narrow = [outcomes("contacts_found", count, KEYS, scale=5) for count in (40, 40 + bound)]
    _, sure = worst(*narrow)
    assert sure > math.e * 1.1


@pytest.mark.parametrize("count", [0, 1, 5, 9, 10, 12])
def test_no_cell_of_1_to_9_appears(count: int) -> None:
    for figure in FIGURES:
        shown = outcomes(figure.name, count, KEYS[:300])
        assert not set(shown) & set(range(10))


# --- totals minus cells ---


def test_totals_minus_cells_isolate_nobody() -> None:
    """Play who knows all others: is the one person restricted by a case, or nobody is?"""
    right_naive = right_best = 0
    tries = 1_500
    for number in range(tries):
        key, truth = KEYS[number], number % 2
        total, order = 50 + truth, 50
        shown = {
            name: noisy_cell(FIGURE_NAMED[name], count, key, "r/1").people
            for name, count in [
                ("restricted", total),
                ("restricted_order", order),
                ("restricted_case", truth),
            ]
        }
        assert shown["restricted"] is not None
        assert shown["restricted_order"] is not None
        difference = shown["restricted"] - shown["restricted_order"]
        right_naive += (difference >= 1) == bool(truth)
        right_best += (shown["restricted"] >= 51) == bool(truth)  # knows that 50 are by order
        assert shown["restricted_case"] is None or shown["restricted_case"] >= 10
    # With exact figures both are always right. Epsilon 1 allows e / (1 + e) = 73 % for one cell.
    assert right_naive / tries < 0.70
    assert right_best / tries < math.e / (1 + math.e) + 3 * math.sqrt(0.2 / tries)
    assert right_best / tries > 0.65  # something is learned: the text of the threat model says so


def test_a_total_is_no_sum_of_its_parts() -> None:
    different = 0
    for key in KEYS[:200]:
        parts = [
            noisy_cell(FIGURE_NAMED[f"restricted_{ground}"], 40, key, "r/1").people or 0
            for ground in ("case", "order")
        ]
        whole = noisy_cell(FIGURE_NAMED["restricted"], 80, key, "r/1").people or 0
        different += sum(parts) != whole
    assert different > 120


# --- counting a day ---


@pytest.fixture
def world() -> StatusWorld:
    return StatusWorld.new()


def test_a_day_is_counted_by_people(world: StatusWorld) -> None:
    authority = world.authority
    order = world.order()
    twice = world.restricted(order)
    world.restricted(order, world.user())
    (appeal,) = authority.appeals.open(twice.user_id, NOON)
    authority.appeals.decide(appeal.appeal_id, AppealState.LIFTED, NOON + 60, by=TOM)
    for _ in range(3):
        authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    for number in range(4):
        authority.passes.batch(twice.user_id if number else world.user(), NOON + number)
    authority.open_data.keep_up(NOON + SECONDS_PER_DAY)
    assert authority.open_data._counted(DAY) == {
        "cases_declared": 3,
        "contacts_found": 0,
        "contacts_reached": 0,
        "notices": 1,
        "phones": 0,
        "visits_published": 0,
        "passes_fetched": 0,  # counted where a phone asks over HTTP
        "restricted": 2,
        "restricted_case": 0,
        "restricted_order": 2,
        "restricted_without_evidence": 0,
        "appeals": 1,
        "appeals_lifted": 1,
        "appeals_corrected": 0,
        "appeals_upheld": 0,
    }


def test_people_with_a_notice_count_once_a_day(world: StatusWorld) -> None:
    order = world.order()
    held = world.restricted(order)
    authority = world.authority
    assert authority.passes.batch(held.user_id, NOON + 60).notice.withheld
    authority.passes.batch(held.user_id, NOON + 120)
    authority.passes.batch(world.user(), NOON + 60)
    authority.open_data.keep_up(NOON + SECONDS_PER_DAY)
    assert world.store.open_data.daily(DAY)["notices"] == 1


def test_contacts_are_counted_by_person_and_reached_ones_within_a_day(world: StatusWorld) -> None:
    authority = world.authority
    cases = [authority.casework.open_case(world.user(), NOON, by=CONSOLE) for _ in range(2)]
    person = world.user()
    late = NOON + SECONDS_PER_DAY + 60
    rows = [
        (cases[0], person, None),
        (cases[1], person, None),
        (cases[0], world.user(), NOON + 60),
        (cases[1], world.user(), late),
    ]
    for number, (case, user_id, traced_at) in enumerate(rows):
        row = contact_row(number, case.case_id, world.keys, os.urandom, ContactState.REACHED)
        sealed, tag = sealed_person(user_id, row.contact_id, DAY, world.keys, os.urandom)
        row = replace(row, person=sealed, tag=tag, found_at=NOON, traced_at=traced_at)
        world.store.desk.put_contacts([row])
    counts = authority.open_data._counted(DAY)
    assert (counts["contacts_found"], counts["contacts_reached"]) == (3, 1)


def test_a_figure_that_nobody_counted_is_blank(world: StatusWorld) -> None:
    cells = {cell.figure: cell for cell in world.authority.open_data._made(DAY).cells}
    assert cells["passes_fetched"].people is None
    assert "passes_fetched" not in world.authority.open_data._counted(DAY)


# --- publishing ---


def test_a_day_is_due_two_days_later_and_never_changes(world: StatusWorld) -> None:
    authority = world.authority
    for _ in range(30):
        authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    data = authority.open_data
    assert DAY not in {day.day for day in data.preview(NOON + SECONDS_PER_DAY, by=SUPERVISOR)}
    seen = data.preview(LATER, by=SUPERVISOR)
    assert seen == data.preview(LATER, by=SUPERVISOR)
    assert seen[-1].day == DAY
    assert data.published() is None  # nothing is served before somebody publishes
    assert data.publish(LATER, by=SUPERVISOR) == seen
    for _ in range(30):
        authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    assert data.publish(LATER, by=SUPERVISOR) == []
    assert data.published() == seen
    entries = list(authority.audit.entries(by=CONSOLE))
    told = [entry for entry in entries if entry.act == "open-data.published"]
    assert [entry.details["day"] for entry in told] == [day.day for day in seen]
    text = figures_csv(seen[-1:], "SG_MOH").encode()
    assert told[-1].details["sha256"] == sha256(text).hex()


@pytest.mark.parametrize(
    ("zone", "skipped"), [("Asia/Singapore", [DAY + 1]), ("America/New_York", [])]
)
def test_no_hour_is_published_twice_when_the_time_zone_changes(
    world: StatusWorld, zone: str, skipped: list[int]
) -> None:
    authority = world.authority
    authority.open_data.publish(LATER, by=SUPERVISOR)  # the last day is DAY, in UTC
    moved = replace(authority.open_data, days=LocalDays.named(zone))
    week = LATER + 7 * SECONDS_PER_DAY
    found = [day.day for day in moved.publish(week, by=SUPERVISOR)]
    expected = [day for day in range(DAY + 1, moved.days.day(week) - 1) if day not in skipped]
    assert found == expected
    assert moved.days.start(found[0]) >= UTC_DAYS.start(DAY + 1)


def test_records_of_a_partner_make_no_case_of_a_person(world: StatusWorld) -> None:
    authority, user = world.authority, world.user()
    authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    world.store.add_case(Case("PARTNER001", user, DAY, NOON, NOON, origin="AU_DTA"))
    assert authority.open_data._counted(DAY)["cases_declared"] == 1
    viewer = Caller("vera", frozenset({Role.VIEWER}))
    assert authority.wall.figures(NOON, by=viewer).counted.cases_today == 1


def test_two_who_publish_at_once_publish_one_day_once(world: StatusWorld) -> None:
    data = world.authority.open_data
    due = data.preview(LATER, by=SUPERVISOR)
    assert world.store.open_data.publish(due[-1])
    late = replace(data, store=Late(world.store))  # it looked before the other one published
    with pytest.raises(ConflictError, match="published already"):
        late.publish(LATER, by=SUPERVISOR)
    assert world.store.open_data.published() == due[-1:]
    assert data.published() is None  # nothing of the refused call was kept


class Late:
    """A store whose list of published days is as old as can be."""

    def __init__(self, store: object) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return (
            self
            if name == "open_data"
            else getattr(self._store, name, None) or getattr(self._store.open_data, name)
        )

    def published_days(self) -> list[int]:
        return []


def test_only_supervisors_publish(world: StatusWorld) -> None:
    data = world.authority.open_data
    for role in set(Role) - {Role.SUPERVISOR}:
        with pytest.raises(AccessDeniedError):
            data.publish(LATER, by=Caller("x", frozenset({role})))
        with pytest.raises(AccessDeniedError):
            data.stop(LATER, by=Caller("x", frozenset({role})))
    with pytest.raises(InvalidRequestError, match="licence"):
        data.publish(LATER, licence="<b>", by=SUPERVISOR)


def test_the_service_publishes_daily_once_that_was_asked(world: StatusWorld) -> None:
    data = world.authority.open_data
    data.keep_up(LATER)
    assert world.store.open_data.published_days() == []
    data.publish(LATER, daily=True, by=SUPERVISOR)
    before = len(world.store.open_data.published_days())
    data.keep_up(LATER + SECONDS_PER_DAY)
    data.keep_up(LATER + SECONDS_PER_DAY)
    assert len(world.store.open_data.published_days()) == before + 1
    data.stop(LATER, by=SUPERVISOR)
    data.keep_up(LATER + 2 * SECONDS_PER_DAY)
    assert len(world.store.open_data.published_days()) == before + 1


# --- the files ---


def made_up(days: int = 3) -> list[OpenDay]:
    return [
        OpenDay(
            DAY + number,
            tuple(OpenCell(figure.name, 40 + number, 3) for figure in FIGURES),
        )
        for number in range(days)
    ]


def test_the_table_keeps_to_its_description(tmp_path) -> None:
    days = made_up()
    days[1] = replace(days[1], cells=tuple(replace(cell, people=None) for cell in days[1].cells))
    (tmp_path / "figures.csv").write_bytes(figures_csv(days, "SG_MOH").encode())
    text = datapackage(days, "SG_MOH", "UTC", "CC-BY-4.0")
    (tmp_path / "datapackage.json").write_text(text)
    package = frictionless.Package(str(tmp_path / "datapackage.json"))
    assert package.validate().valid, package.validate().flatten()
    wrong = (tmp_path / "figures.csv").read_bytes().replace(b",42,", b",7,")
    (tmp_path / "figures.csv").write_bytes(wrong)
    assert not frictionless.Package(str(tmp_path / "datapackage.json")).validate().valid


@pytest.mark.parametrize("requests", [20, pytest.param(1_000, marks=pytest.mark.slow)])
def test_strangers_get_the_same_bytes_each_time(world: StatusWorld, requests: int) -> None:
    for _ in range(25):
        world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    app, http = http_api.create_app(world.authority, clock=lambda: LATER), urllib3.PoolManager()
    with http_api.running(app) as url:
        assert http.request("GET", f"{url}/open/figures.csv").status == 404
    world.authority.open_data.publish(LATER, by=SUPERVISOR)
    app = http_api.create_app(world.authority, clock=lambda: LATER)
    with http_api.running(app) as url:
        first = http.request("GET", f"{url}/open/figures.csv")
        assert first.status == 200
        assert first.headers["Access-Control-Allow-Origin"] == "*"
        seen = {http.request("GET", f"{url}/open/figures.csv").data for _ in range(requests - 1)}
        assert seen == {first.data}
        tag = {"If-None-Match": first.headers["ETag"]}
        again = http.request("GET", f"{url}/open/figures.csv", headers=tag)
        assert (again.status, again.data) == (304, b"")
        package = json.loads(http.request("GET", f"{url}/open/datapackage.json").data)
    assert package["resources"][0]["hash"] == f"sha256:{sha256(first.data).hex()}"
    rows = list(csv.DictReader(io.StringIO(first.data.decode())))
    assert {row["figure"] for row in rows} == set(FIGURE_NAMED)
    assert not {row["people"] for row in rows} & {str(number) for number in range(10)}


def test_no_two_figures_share_their_noise() -> None:
    noise = {
        name: [
            (noisy_cell(FIGURE_NAMED[name], 1_000, key, "r/1").people or 0) - 1_000
            for key in KEYS[:60]
        ]
        for name in ("restricted", "restricted_case", "appeals", "cases_declared")
    }
    for first, second in combinations(noise, 2):
        assert noise[first] != noise[second]
