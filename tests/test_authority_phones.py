"""Phone models' offsets from the logs of an authority, and contact lists that use them."""

from dataclasses import replace

import numpy as np
import pytest

from tests.authority_world import NOON, World
from tests.conftest import counted_entropy
from tracetogether.authority.access.permissions import CONSOLE
from tracetogether.authority.oversight.phone_models import FEWEST_PEOPLE, LEAST_PEOPLE
from tracetogether.errors import AccessDeniedError, CalibrationError, InvalidRequestError
from tracetogether.parameters import DEMO_POLICY
from tracetogether.proximity.calibration import Calibration, table_text

WEAKER_DB = 10.0
PEOPLE = 12  # of each of two models
TABLE = "oem,device,model,rssi_correction,tx_power,confidence\n,,{},{},{},3\n"


def records(world, heard, model, *, central, level):
    """Return ten minutes of records of a log whose own phone is a "Mine"."""
    rows = world.heard(heard, NOON - 7200, 10)
    return [
        replace(
            row,
            rssi_dbm=level + (number % 3) - 1,
            peer_model=model,
            observer_model="Mine",
            as_central=central,
        )
        for number, row in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def world():
    """Return an authority with four logs; "Weak" phones send and hear 10 dB weaker."""
    made = World.of(counted_entropy(811))
    people = [
        (made.user(), model)
        for model, count in (("Good", PEOPLE), ("Weak", PEOPLE), ("Rare", 3))
        for _ in range(count)
    ]
    chance = np.random.default_rng(1)
    for _ in range(4):
        case = made.authority.casework.open_case(made.user(), NOON, by=CONSOLE)
        rows = []
        for place, (user, model) in enumerate(people):
            level = -65.0 - WEAKER_DB * (model == "Weak") + float(chance.normal(0, 3))
            rows += records(made, user, model, central=place % 2 == 0, level=level)
        made.take(case, rows, NOON)
    return made


@pytest.fixture
def learned(world):
    return world.authority.phone_models.learn(NOON, by=CONSOLE, least_people=PEOPLE)


def last_entry(world):
    return list(world.authority.audit.entries(limit=10**6, by=CONSOLE))[-1]


def test_both_directions_are_separated_and_rare_models_have_no_line(world, learned):
    rows = {row.model: row for row in learned.rows}
    assert list(rows) == ["Good", "Weak"]
    assert (learned.logs, learned.left_out) == (4, 2)  # "Rare", and the four owners' "Mine"
    assert rows["Weak"].people == PEOPLE
    # Half of the people's records have the level that their own phones measured.
    good, weak = rows["Good"].offsets, rows["Weak"].offsets
    assert 5 < good.transmit_dbm - weak.transmit_dbm < WEAKER_DB + 3
    assert 3 < weak.correction_db - good.correction_db < WEAKER_DB + 3
    assert 1 < weak.transmit_sd_db < 5.3
    assert "Rare" not in table_text(learned.rows)
    assert "Mine" not in table_text(learned.rows)


def test_learning_is_audited_and_changes_nothing(world):
    before = world.authority.phone_models.used(by=CONSOLE)
    world.authority.phone_models.learn(NOON, by=CONSOLE, least_people=PEOPLE)
    last = last_entry(world)
    assert (last.act, last.by) == ("phones.learned", CONSOLE.name)
    assert dict(last.details) == {"logs": 4, "models": 2, "least_people": PEOPLE}
    assert world.authority.phone_models.used(by=CONSOLE) == before == ""


def test_nobody_may_ask_for_models_of_few_people(world):
    with pytest.raises(InvalidRequestError, match="at least 10 people"):
        world.authority.phone_models.learn(NOON, by=CONSOLE, least_people=FEWEST_PEOPLE - 1)
    assert not world.authority.phone_models.learn(NOON, by=CONSOLE).rows  # 12 are not 20
    assert PEOPLE < LEAST_PEOPLE


def test_a_model_in_one_log_alone_has_no_line():
    """One upload could name any model for anybody."""
    world = World.of(counted_entropy(812))
    case = world.authority.casework.open_case(world.user(), NOON, by=CONSOLE)
    rows = []
    for _ in range(PEOPLE):
        rows += records(world, world.user(), "Forged", central=True, level=-60.0)
    rows += records(world, world.user(), "Other", central=True, level=-60.0)
    world.take(case, rows, NOON)
    found = world.authority.phone_models.learn(NOON, by=CONSOLE, least_people=PEOPLE)
    assert (found.rows, found.logs, found.left_out) == ((), 1, 3)


def test_an_authority_without_logs_learns_nothing():
    found = World.of(counted_entropy(813)).authority.phone_models.learn(NOON, by=CONSOLE)
    assert (found.rows, found.logs) == ((), 0)


def test_lists_use_the_table_from_the_moment_that_it_is_chosen(world):
    service = world.authority
    case = service.casework.cases(by=CONSOLE)[0]

    def minutes():
        found = service.tracing.contacts(case, DEMO_POLICY, by=CONSOLE).contacts
        return sum(contact.minutes.median for contact in found)

    plain = minutes()
    assert service.phone_models.use(TABLE.format("Mine", 30, -1), NOON, by=CONSOLE) == 1
    louder = minutes()  # what "Mine" measured was 26 dB louder than it seemed
    assert louder > 2 * plain
    entry = last_entry(world)
    assert (entry.act, entry.details["models"]) == ("phones.used", 1)
    service.phone_models.stop(NOON, by=CONSOLE)
    assert minutes() == plain
    assert last_entry(world).act == "phones.not_used"


def test_what_is_no_table_is_refused_and_changes_nothing(world):
    entries = world.store.last_audit()
    for text in ("", "hello", "\0", TABLE.format("A", "two", 1)):
        with pytest.raises(CalibrationError):
            world.authority.phone_models.use(text, NOON, by=CONSOLE)
    assert world.store.last_audit() == entries
    assert world.authority.phone_models.used(by=CONSOLE) == ""


def test_a_learned_table_can_be_used(world, learned, tmp_path):
    path = tmp_path / "phones.csv"
    path.write_text(table_text(learned.rows), encoding="utf-8")
    assert Calibration.load(path).offsets_of("weak").measured
    assert world.authority.phone_models.use(path.read_text("utf-8"), NOON, by=CONSOLE) == 2
    world.authority.phone_models.stop(NOON, by=CONSOLE)


def test_a_stranger_learns_nothing(world):
    nobody = replace(CONSOLE, name="nobody", roles=frozenset())
    with pytest.raises(AccessDeniedError):
        world.authority.phone_models.learn(NOON, by=nobody)
