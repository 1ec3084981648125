"""Attacks on the protocols' own code, held to what follows exactly from how they are made."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.attacks.deployment import BEGIN, END, LISTENER, TokensHeard
from simulations.attacks.deployments import PROTOCOLS, deploy
from simulations.attacks.eavesdroppers import linked_by_public, pairs_linked, reported
from simulations.attacks.expectations import (
    EARLIEST_S,
    LAST_ACCEPTED_S,
    LINKED_S,
    bits_learned,
    graph_bits,
    known_edges,
    linked_share,
)
from simulations.attacks.injection import connected
from simulations.attacks.library import ATTACKS
from simulations.attacks.passers_by import anonymity
from simulations.attacks.playback import replayed
from simulations.attacks.receivers import track_of
from simulations.attacks.rows import AttackRow, AttackSettings
from simulations.attacks.summary import rows_of
from simulations.attacks.town import SIDE, SmallTown
from simulations.streams import Streams
from tracetogether.cli import cli
from tracetogether.cli.simulate_attack import attack_protocols
from tracetogether.labels import Labels
from tracetogether.units import SECONDS_PER_DAY

SPREAD = np.floor(np.linspace(BEGIN, END - 1, 60))


def played(attack: str, protocol: str, **settings: float) -> dict[str, AttackRow]:
    rows = ATTACKS[attack].play(protocol, AttackSettings().changed(**settings))
    assert {row.metric for row in rows} == set(ATTACKS[attack].metrics)
    return {row.metric: row for row in rows}


def is_expected(row: AttackRow) -> bool:
    """Return whether a mean lies within three standard errors of its expectation."""
    error = (row.high - row.low) / (2 * 1.6449)
    return abs(row.value - row.expected) <= 3 * error + 1e-12


def test_the_closed_forms_of_linkability() -> None:
    shares = {name: round(linked_share(window), 4) for name, window in LINKED_S.items()}
    assert shares == {
        "bluetrace": 0,
        "robert": 0,
        "gaen": 0.0714,
        "dp3t-low-cost": 1,
        "dp3t-hybrid": 0.0119,
        "dp3t-hybrid-2h": 0.006,
        "dp3t-unlinkable": 0.0007,
        "tcn": 0.0179,
        "desire": 0,
    }


@pytest.mark.parametrize("name", PROTOCOLS)
def test_measured_linkability_is_the_closed_form_within_three_standard_errors(name: str) -> None:
    rows = played("linkability", name, seed=7, repeats=8, sightings=250)
    public, server = rows["linked_share"], rows["linked_by_server"]
    assert public.expected == linked_share(LINKED_S[name])
    assert is_expected(public)
    assert is_expected(server)
    assert (public.value > 0) == (public.expected > 0)


def test_pairs_linked_counts_pairs() -> None:
    assert pairs_linked(Labels.encode(["a", "a", "b", None]), 4) == 2 / 12
    assert pairs_linked(Labels.constant(None, 4), 4) == 0
    assert pairs_linked(Labels.constant("a", 4), 4) == 1


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_replay_counts_to_the_exact_second_and_not_one_later(name: str) -> None:
    deployment = deploy(name, Streams(3), 2)
    last, first = LAST_ACCEPTED_S[name], EARLIEST_S[name]
    delays = [0, 5_000_00, -86_400] if last is None else [0, last, last + 1, first, first - 1]
    accepted = [True] * 3 if last is None else [True, True, False, True, False]
    sent = float(BEGIN + SECONDS_PER_DAY)
    assert replayed(deployment, sent, np.array(delays, float)).tolist() == accepted
    rows = played("replay", name, seed=3)
    assert rows["last_accepted_s"].value == last
    assert rows["earliest_accepted_s"].value == first


@pytest.mark.parametrize("name", PROTOCOLS)
def test_all_own_tokens_warn_whoever_met_the_case_when_it_sent_them(name: str) -> None:
    deployment = deploy(name, Streams(5), 3)
    met = TokensHeard.concat(
        [TokensHeard.of(1, 0, SPREAD).both_ways(), TokensHeard.of(1, 2, SPREAD).both_ways()]
    )
    log = deployment.log(met)
    reported(deployment, [0], log)
    warned = deployment.warned(log)
    others = warned.take(warned.observer != "0")
    assert set(others.observer.to_list()) == {"1"}
    assert len(others) == 60


def test_a_private_protocol_links_nothing_in_public_but_all_at_the_server() -> None:
    for name in ("bluetrace", "robert"):
        deployment = reported(deploy(name, Streams(5), 1), [0])
        assert linked_by_public(deployment, 0, SPREAD) == 0
        opened = deployment.opened(deployment.log(TokensHeard.of(LISTENER, 0, SPREAD)))
        assert pairs_linked(opened.peer, 60) == 1


@pytest.mark.parametrize(("share", "edges"), [(0, 0), (0.1, 0.19), (0.5, 0.75), (1, 1)])
def test_known_edges(share: float, edges: float) -> None:
    assert known_edges(share) == pytest.approx(edges)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_authority_reads_contacts_only_where_they_are_handed_over(name: str) -> None:
    rows = played("graph", name, seed=3, repeats=8, people=40, uploads=0.3)
    assert is_expected(rows["edges_known"])
    opened = name in {"bluetrace", "robert"}
    assert (rows["edges_known"].value > 0) == opened == (rows["bits_per_case"].value > 10)


def test_more_uploads_show_more_of_the_graph() -> None:
    few, many = (
        played("graph", "bluetrace", repeats=6, people=40, uploads=share)["edges_known"].value
        for share in (0.1, 0.5)
    )
    assert few < many


def test_bits_of_a_graph() -> None:
    assert graph_bits(4, 3) == pytest.approx(np.log2(20))
    assert bits_learned(4, 3, 0, 0) == 0
    assert bits_learned(4, 3, 4, 3) == pytest.approx(np.log2(20))
    # One of four people hands over a log with two contacts: one more lies among the other three.
    assert bits_learned(4, 3, 1, 2) == pytest.approx(np.log2(20) - np.log2(3))
    with pytest.raises(ValueError, match="can't be chosen"):
        bits_learned(4, 3, 4, 2)


def test_the_command_prints_rows_and_what_the_attack_costs() -> None:
    run = CliRunner().invoke(
        cli, ["simulate", "attack", "replay", "--protocol", "robert", "--json"]
    )
    said = json.loads(run.stdout)
    last = [row for row in said["rows"] if row["metric"] == "last_accepted_s"]
    assert [(row["protocol"], row["value"], row["expected"]) for row in last] == [
        ("robert", 180, 180)
    ]
    assert said["cost"] == {"devices": 2, "hours": 1, "accounts": 0, "access": ""}
    run = CliRunner().invoke(cli, ["simulate", "attack", "linkability", "--protocol", "tcn"])
    assert run.exit_code == 0
    assert "0.0179" in run.stdout
    assert "linked_share: pairs of a case's sightings" in run.stdout


def test_the_command_lists_all_attacks() -> None:
    for words in ([], ["list"]):
        run = CliRunner().invoke(cli, ["simulate", "attack", *words, "--json"])
        listed = json.loads(run.stdout)["attacks"]
        assert [attack["name"] for attack in listed] == list(ATTACKS)
        options = {parameter.name for parameter in attack_protocols.params}
        assert {name for attack in listed for name in attack["options"]} <= options


def test_the_summary_has_the_cheap_exact_rows_of_a_protocol() -> None:
    rows = {row.metric: row.value for row in rows_of("gaen")}
    assert rows["last_accepted_s"] == 7799
    assert rows["edges_known"] == 0
    assert 0.06 < rows["linked_share"] < 0.08


def test_more_receivers_hear_more_and_name_longer_tracks() -> None:
    few, many = (played("sniffers", "gaen", repeats=6, sniffers=count) for count in (40, 400))
    assert few["heard_by"].value < many["heard_by"].value
    low_cost = played("sniffers", "dp3t-low-cost", repeats=6, sniffers=400)
    private = played("sniffers", "bluetrace", repeats=6, sniffers=400)
    assert low_cost["joined_track"].value == 1 == private["joined_by_server"].value
    assert private["joined_track"].value == 0 == private["linked_pairs"].value
    assert private["joined_by_token"].value < many["joined_track"].value < 1
    assert many["linked_pairs"].value < 0.3


def test_a_track_counts_receivers_of_the_most_common_name() -> None:
    names = Labels.encode(["a", "a", "b", "a"])
    track = track_of(names, np.array([7, 8, 7, 7, 9]), np.array([0, 1, 2, 3]), 5)
    assert (track.receivers, track.joined, track.share) == (3, 2, 2 / 3)
    assert track.pairs == 6 / 20


def test_ways_of_the_town_are_walked_on_streets() -> None:
    chance = Streams(1).generator("town")
    town = SmallTown.build(6, 2, chance)
    times, places = town.passes(3)
    assert (np.diff(times) >= 0).all()
    row, column = np.divmod(places, SIDE)
    assert set(np.abs(np.diff(row)) + np.abs(np.diff(column))) == {0, 1}
    assert {int(town.home[3]), int(town.work[3])} <= set(places.tolist())
    first, second, at = town.meetings(chance)
    assert (first < second).all()
    assert at.min() >= BEGIN
    assert at.max() < BEGIN + 2 * SECONDS_PER_DAY


@pytest.mark.parametrize("name", ["bluetrace", "robert", "gaen"])
def test_moments_of_change_tell_phones_apart_only_where_each_has_its_own(name: str) -> None:
    rows = played("change", name, repeats=4, people=40)
    assert is_expected(rows["picked_same_day"])
    assert rows["picked_next_day"].value < 0.2
    assert (rows["picked_same_day"].value > 0.9) == (name == "bluetrace")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_relay_alarms_in_the_direction_of_the_report(name: str) -> None:
    rows = played("relay", name, people=20)
    assert all(row.value == row.expected for row in rows.values())
    assert rows["alarms_two_way"].value == 20


def test_a_slow_relay_is_refused_where_time_is_bound_tightly() -> None:
    alarms = {
        name: played("relay", name, people=20, latency_s=1_200)["alarms_two_way"].value
        for name in ("bluetrace", "robert", "gaen", "dp3t-unlinkable")
    }
    assert alarms == {"bluetrace": 0, "robert": 0, "gaen": 20, "dp3t-unlinkable": 0}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_clock_set_back_alarms_where_keys_are_public(name: str) -> None:
    rows = played("clock", name)
    assert [row.value for row in rows.values()] == [row.expected for row in rows.values()]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_changed_claim_moves_a_phone_nearer_unless_the_server_leaves_it_out(name: str) -> None:
    rows = played("power", name, people=10, gain_db=12)
    moved = rows["moved_db"]
    assert moved.expected is None or moved.value == pytest.approx(moved.expected)
    assert (moved.value > 20) == (name != "robert")
    assert (rows["alarms_10m_claim"].value == 1) == (name != "robert")
    assert rows["alarms_10m"].value < 0.3 < rows["alarms_10m_loud"].value


def test_more_gain_alarms_more_people() -> None:
    alarms = [
        played("power", "gaen", people=20, gain_db=gain)["alarms_10m_loud"].value
        for gain in (0, 8, 16)
    ]
    assert alarms[0] < alarms[1] < alarms[2]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_camera_names_the_diagnosed_where_tokens_become_public(name: str) -> None:
    rows = played("paparazzi", name, repeats=6, people=40, photos=0.5)
    assert is_expected(rows["named"])
    assert (rows["named"].value > 0.2) == (rows["named"].expected > 0)
    assert rows["named_wrongly"].value == 0


def test_a_curious_user_finds_the_case_sooner_where_more_times_belong_together() -> None:
    sets = {
        name: played("nerd", name, repeats=12, people=80)["anonymity_set"].value
        for name in ("dp3t-low-cost", "gaen", "dp3t-unlinkable", "bluetrace")
    }
    assert sets["dp3t-low-cost"] < sets["gaen"] <= sets["dp3t-unlinkable"] < sets["bluetrace"]


def test_more_accounts_narrow_the_answer_of_a_server() -> None:
    one, many = (played("nerd", "desire", repeats=4, accounts=count) for count in (1, 56))
    assert many["anonymity_set"].value < one["anonymity_set"].value / 3
    assert one["accounts_a_day"].value == 96


def test_anonymity_is_what_all_linked_hours_have_in_common() -> None:
    met = np.array([0.0, 10.0, 4_000.0, 4_010.0])
    whom = np.array([1, 2, 2, 3])
    assert anonymity([met[[0, 2]]], met, whom) == [1, 1]
    assert anonymity([met[[0]], met[[2]]], met, whom) == [2, 2]


@pytest.mark.parametrize("name", ["bluetrace", "gaen", "desire"])
def test_more_shared_phones_alarm_more_people(name: str) -> None:
    few, many = (
        played("shared-keys", name, repeats=2, people=40, devices=count) for count in (2, 6)
    )
    assert 1 < few["ratio"].value < many["ratio"].value
    assert few["alarms_one"].value > 0
    leave = few["bought_leave_works"]
    assert leave.value == leave.expected == (name != "bluetrace")


def test_gain_and_stay_alarm_more_of_a_crowd() -> None:
    def alarms(name: str = "gaen", gain: float = 6, stay: float = 30) -> float:
        rows = played("injection", name, repeats=2, people=60, gain_db=gain, stay_min=stay)
        return rows["alarmed"].value

    assert alarms(stay=10) == 0 < alarms() < alarms(gain=14)
    assert alarms("bluetrace", stay=10) == 0 < alarms("bluetrace", gain=14)


def test_a_phone_takes_one_connection_at_a_time() -> None:
    turns = connected(np.array([True] * 40 + [False]), np.arange(0, 300, 30.0))
    assert turns.sum(axis=0).max() == 15  # 30 s hold 15 connections of 2 s
    assert turns[0].tolist() == [True, False, False] * 3 + [True]
    assert not turns[40].any()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_stolen_database_opens_what_its_keys_and_publications_name(name: str) -> None:
    rows = played("database", name, repeats=3, sightings=60, archive_days=28)
    assert is_expected(rows["opened_with_keys"])
    assert is_expected(rows["opened_without_keys"])


def test_a_longer_archive_opens_less_where_old_keys_are_destroyed() -> None:
    short, long = (
        played("database", "bluetrace", repeats=2, archive_days=days)["opened_with_keys"]
        for days in (25, 60)
    )
    assert short.value == 1
    assert long.value == pytest.approx(25 / 60, abs=0.08)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_seized_phones_confirm_what_they_keep_of_their_own(name: str) -> None:
    rows = played("seized", name, repeats=3, sightings=60)
    assert is_expected(rows["meetings_confirmed"])
    assert rows["own_past"].value == pytest.approx(rows["own_past"].expected, abs=0.05)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_only_a_server_that_makes_tokens_can_mark_them(name: str) -> None:
    rows = played("tags", name, people=30)
    assert rows["recognised"].value == (name in {"bluetrace", "robert"})
    assert rows["recognised_wrongly"].value == 0


@pytest.mark.parametrize("name", PROTOCOLS)
def test_padding_hides_how_many_are_ill(name: str) -> None:
    bare, padded = (played("counting", name, padding=count) for count in (0, 420))
    for rows in (bare, padded):
        assert all(row.value == pytest.approx(row.expected) for row in rows.values())
    hidden = padded["cases_read"].value > bare["cases_read"].value
    assert hidden == (padded["real_share"].value < bare["real_share"].value) == (name == "gaen")


def test_what_was_published_stands_beside_the_rows_with_its_source() -> None:
    run = CliRunner().invoke(
        cli, ["simulate", "attack", "counting", "--protocol", "gaen", "--json"]
    )
    (found,) = json.loads(run.stdout)["published"]
    assert "16,717 of 89,664" in found["says"]
    assert found["source"] == "micb25/dka"
