"""Many logs opened and listed at once give what each of them gives alone."""

from dataclasses import replace

import numpy as np
import pytest

from tests.authority_world import NOON, NOW, World
from tracetogether.authority.contacts.lines import SEEN_BY, contacts_of, list_logs
from tracetogether.authority.intake.opening import OpenedRecords, open_log, open_logs
from tracetogether.bluetrace.tempid import ACCEPTED, TempIDIssuer
from tracetogether.bluetrace.upload import UploadRecords, parse_upload, write_upload
from tracetogether.labels import Labels
from tracetogether.parameters import DEMO_POLICY, MAX_PEOPLE_A_MINUTE
from tracetogether.rejection import Rejection
from tracetogether.sightings import Sighting, Sightings

Logs = dict[str, UploadRecords]


def records(rows: list[Sighting]) -> UploadRecords:
    return parse_upload(write_upload(rows)).records


def opened_together(world: World, logs: Logs) -> OpenedRecords:
    files = list(logs.values())
    time, rssi_dbm = (
        np.concatenate([getattr(file, name) for file in files]) for name in ("time", "rssi_dbm")
    )
    owners = [owner for owner, file in logs.items() for _ in range(len(file))]
    return open_logs(
        Labels.encode([token for file in files for token in file.token]),
        time,
        rssi_dbm,
        organisation=Labels.concat([file.organisation for file in files]),
        uploader=Labels.encode(owners),
        issuer=TempIDIssuer(world.keys, "SG_MOH"),
        received_at=NOON,
    )


@pytest.fixture
def logs(world: World) -> Logs:
    """Three people: two heard each other and a third, who also heard an echo of itself."""
    first, second, third = (world.user() for _ in range(3))
    begin = NOW - 7200
    foreign = Sighting(begin, "?" * 84, -60.0, organisation="ELSEWHERE")
    return {
        first: records(
            world.heard(second, begin, 30, rssi_dbm=-50)
            + world.heard(third, begin + 60, 10, rssi_dbm=-80)
            + world.heard(first, begin, 1)
        ),
        second: records([*world.heard(first, begin, 28, rssi_dbm=-52), foreign]),
        third: records(world.heard(third, begin, 1) + world.heard(first, NOON + 7200, 2)),
    }


def test_many_logs_are_opened_as_each_alone(world: World, logs: Logs) -> None:
    together = opened_together(world, logs)
    reasons, begin = together.rejected, 0
    for owner, file in logs.items():
        alone = open_log(file, TempIDIssuer(world.keys, "SG_MOH"), uploader=owner, received_at=NOON)
        rows = slice(begin, begin + len(file))
        begin += len(file)
        heard = together.person.take(rows).take(together.accepted[rows]).to_list()
        assert heard == alone.sightings.peer.to_list()
        reasons.subtract(alone.rejected)
    assert set(reasons.values()) == {0}
    assert together.rejected[Rejection.SELF_TEMPID] == 6
    assert together.rejected[Rejection.IMPLAUSIBLE] == 6
    assert (together.codes == ACCEPTED).sum() > 150


def test_a_crowded_minute_of_one_log_costs_no_other_log(world: World) -> None:
    people = [world.user() for _ in range(MAX_PEOPLE_A_MINUTE + 1)]
    heard = {person: world.heard(person, NOW - 600, 0.4)[0] for person in people}
    crowded, quiet = world.user(), world.user()
    many = {crowded: records(list(heard.values())), quiet: records([heard[people[0]]])}
    together = opened_together(world, many)
    assert together.accepted.tolist() == [False] * len(people) + [True]
    assert together.rejected == {Rejection.IMPLAUSIBLE: len(people)}


def test_a_token_in_two_logs_is_decrypted_once(world: World) -> None:
    row = world.heard(world.user(), NOW - 600, 0.4)[0]
    twice = {world.user(): records([row]), world.user(): records([replace(row, time=row.time + 9)])}
    together = opened_together(world, twice)
    assert together.decryptions == 1
    assert together.accepted.all()


def test_many_logs_are_listed_as_each_alone(world: World, logs: Logs) -> None:
    alone = {
        owner: open_log(
            file, TempIDIssuer(world.keys, "SG_MOH"), uploader=owner, received_at=NOON
        ).sightings
        for owner, file in logs.items()
    }
    named = [
        sightings.replaced(observer=Labels.constant(owner, len(sightings)))
        for owner, sightings in alone.items()
    ]
    lines = list_logs(Sightings.concat(named), DEMO_POLICY)
    close = lines.close_contact(DEMO_POLICY)
    row_of = {
        pair: row
        for row, pair in enumerate(
            zip(lines.observer.to_list(), lines.person.to_list(), strict=True)
        )
    }
    compared = 0
    for owner, sightings in alone.items():
        contacts = contacts_of(sightings, DEMO_POLICY)
        rows = [row_of.pop((owner, contact.user_id)) for contact in contacts]
        for row, contact in zip(rows, contacts, strict=True):
            minutes, alike = list(lines.minutes)[row], contact.minutes
            assert minutes.median == pytest.approx(alike.median, rel=1e-12)
            assert (minutes.low, minutes.high) == pytest.approx((alike.low, alike.high), rel=1e-12)
            busiest, same = list(lines.busiest_24h)[row], contact.busiest_24h
            assert busiest.median == pytest.approx(same.median, rel=1e-12)
            assert (busiest.low, busiest.high) == pytest.approx((same.low, same.high), rel=1e-12)
            nearest = list(lines.nearest_m)[row]
            assert nearest.median == pytest.approx(contact.nearest_m.median, rel=1e-12)
            assert lines.encounters[row] == contact.encounters
            assert (lines.first_s[row], lines.last_s[row]) == (contact.first_s, contact.last_s)
            assert bool(close[row]) == contact.close_contact
            assert SEEN_BY[int(lines.sides[row])] == contact.seen_by == "case"
            concern = lines.concern(row, DEMO_POLICY)
            assert concern == pytest.approx(contact.concern[:-1], rel=1e-12)
            compared += 1
    assert compared == 3
    assert row_of == {}
    assert close.any()
    assert lines.take(np.array([2, 0])).person.to_list() == [
        lines.person.to_list()[row] for row in (2, 0)
    ]
