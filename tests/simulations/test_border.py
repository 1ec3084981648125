"""People of several authorities in one crowd: their TempIDs, who opens them, what is handed on."""

import json
from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.one_run import Run, homes_of, run
from simulations.phones.tempids import HomeTempIDs
from simulations.scores.scoring import score_run
from simulations.scores.tracing import RunRecords
from simulations.settings.scenario import Scenario, load_scenario
from simulations.streams import Streams
from simulations.studies.border import as_handed, count_border
from tracetogether.cli import cli
from tracetogether.cli.simulate_border import service_of
from tracetogether.errors import ScenarioError
from tracetogether.labels import Labels
from tracetogether.rejection import Rejection

HOME = {"SG_MOH": 0.7, "AU_DTA": 0.3}
WITHOUT_HOMES = "bee994fd279e74535a588eba42880c96eb2d9a81f9b8dcfd72d8fdaa99228f13"


@pytest.fixture(scope="module")
def both_sides(short: Scenario) -> Run:
    return run(
        short.with_({"people.home": HOME, "people.adoption": 1.0}), seed=1, fidelity="vectorized"
    )


def test_a_crowd_without_the_key_has_the_digest_that_it_had() -> None:
    few = load_scenario("train-carriage", {"people.count": "6", "duration_s": "200"})
    assert run(few, seed=1, fidelity="vectorized").digest == WITHOUT_HOMES


def test_both_fidelities_give_the_same_run_with_people_of_two_authorities(
    both_sides: Run,
) -> None:
    objects = run(both_sides.scenario, seed=1, fidelity="object")
    assert objects.digest == both_sides.digest
    assert score_run(objects).opened.rejected == score_run(both_sides).opened.rejected


def test_records_name_the_authority_of_the_person_heard_and_it_alone_opens_them(
    both_sides: Run,
) -> None:
    assert Counter(both_sides.homes) == {"SG_MOH": 11, "AU_DTA": 5}
    person = {user_id: who for who, user_id in both_sides.user_ids.items()}
    rows = [row for log in both_sides.logs.values() for row in log.rows()]
    for code, source in both_sides.sources.items():
        own = [row for row in rows if row.organisation == code]
        times = np.array([row.time for row in rows])
        opened = source.issuer.open_many([row.peer for row in rows], times).user.to_list()
        assert sum(user is not None for user in opened) == len(own) > 50
        assert {both_sides.homes[person[user]] for user in opened if user} == {code}
    one_home = run(both_sides.scenario.with_({"people.home": {}}), seed=1, fidelity="vectorized")
    assert [row.rssi_dbm for log in one_home.logs.values() for row in log.rows()] == [
        row.rssi_dbm for row in rows
    ]


def test_contacts_abroad_are_found_by_the_exchange_alone(both_sides: Run) -> None:
    found = count_border(both_sides, (1.0, 600.0), services=service_of)
    near, late = found[1.0], found[600.0]
    assert near.across > 5
    assert near.across_unaided == late.across_unaided == 0
    assert near.across_found > 0.3 * near.across
    assert late.across_found == late.records == 0  # a phone's log of three weeks ago is too old
    assert near.home_found == late.home_found > 0
    assert 1.0 <= near.hours <= 2.0
    assert score_run(both_sides).opened.rejected[Rejection.FOREIGN] >= near.records > 100
    # The service itself hands over a case each way, and its lists say the same.
    assert near.same == near.played > 3
    assert late.played == 0


def test_a_batch_holds_ten_seconds_whole_levels_and_a_record_once() -> None:
    handed = as_handed(
        RunRecords(
            owner=np.array([3, 3, 3, 4]),
            token=Labels.encode(["a", "a", "b", "a"]),
            time=np.array([101.0, 103.0, 101.0, 101.0]),
            rssi_dbm=np.array([-60.2, -60.4, -60.0, -60.0]),
            tx_power_dbm=np.array([np.nan, np.nan, -4.4, np.nan]),
            organisation=Labels.constant("AU_DTA", 4),
        )
    )
    assert handed.owner.tolist() == [3, 3, 4]
    assert handed.token.to_list() == ["a", "b", "a"]
    assert handed.time.tolist() == [100.0] * 3
    assert handed.rssi_dbm.tolist() == [-60.0] * 3
    assert handed.tx_power_dbm[1] == -4.0


def test_shares_of_authorities_are_exact_and_keep_to_people(short: Scenario) -> None:
    crowd = short.with_({"people.home": {"SG_MOH": 0.5, "AU_DTA": 0.25, "NZ_MOH": 0.25}})
    homes = homes_of(crowd, Streams(1))
    assert Counter(homes) == {"SG_MOH": 8, "AU_DTA": 4, "NZ_MOH": 4}
    assert homes == homes_of(crowd.with_({"people.adoption": 0.1}), Streams(1))
    assert homes != homes_of(crowd, Streams(2))
    assert homes_of(short, Streams(1)) == ()


def test_each_authority_has_keys_of_its_own() -> None:
    tempids = HomeTempIDs(1_593_590_400.0, Streams(1), ("SG_MOH", "AU_DTA"))
    rings = [source.keys for source in tempids.sources.values()]
    assert rings[0].naming_key != rings[1].naming_key


@pytest.mark.parametrize(
    ("home", "said"),
    [
        ("{SG_MOH = 0.9}", r"together 0\.9; they must be 1"),
        ("{SG_MOH = 0.9, AU_DTA = 1.1}", "wants a table of shares"),
        ('{SG_MOH = 0.9, "" = 0.1}', "codes such as SG_MOH"),
        ("0.5", "wants a table of shares"),
    ],
)
def test_homes_that_make_no_sense_are_refused(home: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        load_scenario("lift", {"people.home": home})


def test_homes_are_of_bluetrace_and_have_issuers_of_the_run(short: Scenario) -> None:
    with pytest.raises(ScenarioError, match="is of BlueTrace"):
        load_scenario("lift", {"home": "{SG_MOH = 1}", "protocol": "tcn"})
    crowd = short.with_({"people.home": HOME})
    source = HomeTempIDs(0.0, Streams(1), ("SG_MOH",))
    with pytest.raises(ScenarioError, match="leave the source out"):
        run(crowd, seed=1, source=source)


def test_the_command_prints_a_row_for_each_share_and_delay() -> None:
    few = ["--set", "people.count=16", "--set", "duration_s=240", "--set", "policy.minutes=1"]
    words = ["simulate", "border", "train-carriage", "--seeds", "2", *few, "--no-service"]
    words += ["--set", "people.adoption=1"]
    done = CliRunner().invoke(
        cli, [*words, "--abroad", "0.4", "--delay", "1", "--delay", "6", "--json"]
    )
    assert done.exit_code == 0, done.output
    soon, late = json.loads(done.stdout)
    assert soon["home"] == {"SG_MOH": 0.6, "AU_DTA": 0.4}
    assert late["hours"] == pytest.approx(soon["hours"] + 5)
    assert soon["found_across_without"] == 0
    assert soon["found_across_low"] <= soon["found_across"] <= soon["found_across_high"]
    assert soon["found"] > soon["found_without"]
    assert soon["played_by_service"] == 0


def test_homes_of_the_scenario_count_in_place_of_the_option() -> None:
    homes = ["--set", "people.home={SG_MOH = 0.5, NZ_MOH = 0.5}", "--no-service"]
    few = ["--set", "people.count=6", "--set", "duration_s=60", "--seeds", "1"]
    done = CliRunner().invoke(cli, ["simulate", "border", "lift", *few, *homes])
    assert done.exit_code == 0, done.output
    assert done.stdout.count("SG_MOH 0.5, NZ_MOH 0.5") == 1
