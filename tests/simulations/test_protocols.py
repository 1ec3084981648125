"""One crowd under every protocol: tokens, reports, who judges, and what is equal on one radio."""

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from simulations.fidelities.record_columns import ContactLogs
from simulations.one_run import Run, run, spoken_in
from simulations.pages.recording import LOGS, save_run
from simulations.pages.report_page import save_page
from simulations.phones.protocols import PROTOCOLS, radio_of
from simulations.phones.token_sources import HeardColumns, TokenDraws
from simulations.scores.breakdown import break_down
from simulations.scores.scoring import Scores, score_run
from simulations.settings.scenario import Scenario, load_scenario, parse_scenario, scenario_text
from simulations.streams import Streams
from simulations.studies.protocol_table import compare_protocols
from tracetogether.cli import cli
from tracetogether.errors import ScenarioError
from tracetogether.proximity.calibration import BLUETRACE_TRANSMIT, EXPOSURE_NOTIFICATION_TRANSMIT

OTHERS = [name for name in PROTOCOLS if name != "bluetrace"]


@pytest.fixture(scope="module")
def crowd(short: Scenario) -> Scenario:
    return short.with_({"duration_s": 600.0, "phones.radio": "same", "policy.minutes": 3.0})


@pytest.fixture(scope="module")
def played(crowd: Scenario) -> Mapping[str, Run]:
    """The crowd under every protocol with BlueTrace's radio."""
    base = run(crowd, seed=1, fidelity="vectorized")
    return {"bluetrace": base} | {name: spoken_in(base, name) for name in OTHERS}


@pytest.fixture(scope="module")
def scores(played: Mapping[str, Run]) -> Mapping[str, Scores]:
    return {name: score_run(each).scores for name, each in played.items()}


def test_a_radio_that_is_shared_gives_the_run_that_a_protocol_plays_itself(
    crowd: Scenario, played: Mapping[str, Run]
) -> None:
    own = crowd.with_({"phones.protocol": "gaen"})
    alone = run(own, seed=1, fidelity="vectorized", tracks=played["bluetrace"].tracks)
    assert alone.digest == played["gaen"].digest
    assert len({each.digest for each in played.values()}) == len(PROTOCOLS)


def test_on_one_radio_all_protocols_find_the_same(scores: Mapping[str, Scores]) -> None:
    found = {(each.found, each.missed, each.false_contacts) for each in scores.values()}
    assert len(found) == 1
    ((hits, missed, _),) = found
    assert hits > 5
    assert missed > 5


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_log_that_judges_is_the_one_that_the_scores_name(
    name: str, played: Mapping[str, Run], scores: Mapping[str, Scores]
) -> None:
    """Empty one phone's log: as a case, or as a contact, it then names nobody.

    A case of DESIRE reports tokens of encounters, which are in its log: it needs both logs.
    """
    whole, before = played[name], scores[name]
    case = max(before.cases, key=lambda each: each.found).person
    logs = whole.logs
    assert isinstance(logs, ContactLogs)
    kept = logs.owner != case
    sizes = np.diff(logs.first) * (logs.app != case)
    silent = replace(
        logs,
        first=np.append(0, np.cumsum(sizes)),
        **{
            column: getattr(logs, column)[kept]
            for column in ("time", "peer", "sent", "token", "rssi_dbm", "as_central")
        },
    )
    listing = score_run(replace(whole, logs=silent)).scores.lines.listing
    judged_by = PROTOCOLS[name].judged_by
    assert before.to_json()["judged_by"] == judged_by
    assert (case in listing.case) == (judged_by == "contact" and name != "desire")
    assert (case in listing.person) == (judged_by == "case")


@pytest.mark.parametrize("name", OTHERS)
def test_a_phone_object_keeps_the_secrets_that_columns_report(name: str) -> None:
    begin, app = 1_593_590_400.0, np.arange(3)
    draws = TokenDraws(name, Streams(5), app, begin, begin + 3_000, 1.0)
    make = PROTOCOLS[name].tokens
    assert make is not None
    tokens, clock = make(draws), [begin]
    exchange = tokens.exchange(2, "model", lambda: clock[0])
    shown, at = [], []
    while clock[0] < begin + 3_000:
        advertisement = exchange.advertisement(clock[0])
        assert advertisement is not None
        shown.append(advertisement.service_data.hex())
        at.append(clock[0])
        clock[0] = advertisement.expiry
    assert len(set(shown)) > 3
    times = np.array(at)
    np.testing.assert_array_equal(tokens.changes_at(times), [*at[1:], clock[0]])
    own, theirs = exchange.own_keys(), tokens.secrets(2)
    if own is None:
        assert theirs is None
    elif isinstance(own, tuple):
        assert [key.rak for key in own] == [key.rak for key in theirs]
        assert [key.used for key in own] == [key.used for key in theirs]
    else:
        kept = theirs.take(np.arange(len(own)))
        assert json.dumps(_listed(own)) == json.dumps(_listed(kept))
    if name == "desire":  # what is heard of it are tokens of two phones
        return
    peer = np.full(len(at), 2)
    texts, row = tokens.logged(HeardColumns(np.zeros_like(peer), peer, times, times))
    logged = [texts[each].tobytes().decode() for each in row]
    assert all(text.startswith(said) for text, said in zip(shown, logged, strict=True))


def _listed(secrets: object) -> list[object]:
    return [
        getattr(secrets, name).tolist()
        for name in ("key", "start", "secret", "number")
        if hasattr(secrets, name)
    ]


def test_desire_needs_two_slices_before_it_records() -> None:
    draws = TokenDraws("desire", Streams(5), np.arange(2), 0.0, 1_800.0, 1.0)
    make = PROTOCOLS["desire"].tokens
    assert make is not None
    sent = np.array([0.0, 61.0, 21.0, 62.0, 901.0, 922.0])  # slices 0, 0, 1, 0; 0, 1 of the next
    heard = HeardColumns(np.zeros(6, np.int64), np.ones(6, np.int64), np.arange(6.0), sent)
    assert make(draws).recorded(heard).tolist() == [False, False, True, True, False, True]


def test_a_radio_brings_its_own_prior_of_power() -> None:
    tram = load_scenario("tram").phones
    assert radio_of(tram).transmit is EXPOSURE_NOTIFICATION_TRANSMIT
    assert radio_of(replace(tram, radio="same")).transmit is BLUETRACE_TRANSMIT


def test_the_key_that_is_gone_names_what_is_in_its_place() -> None:
    _, _, text = (
        scenario_text("tram").__getattribute__(name) for name in ("name", "source", "text")
    )
    with pytest.raises(
        ScenarioError, match=r"line \d+: unknown key 'phones.app': set 'phones.protocol'"
    ):
        parse_scenario(
            text.replace('protocol = "gaen"', 'app = "broadcast"'), name="tram", source="tram.toml"
        )
    with pytest.raises(
        ScenarioError, match=r"no scenario key 'app' any more: set 'phones.protocol'"
    ):
        load_scenario("tram", {"app": "broadcast"})
    with pytest.raises(ScenarioError, match="later_scans"):
        load_scenario("tram", {"later_scans": "true"})


@pytest.mark.parametrize("name", ["gaen", "robert", "desire"])
def test_logs_that_are_kept_name_the_person_heard_in_either_fidelity(
    name: str, crowd: Scenario, tmp_path: Path
) -> None:
    few = crowd.with_({"phones.protocol": name, "people.count": 6, "duration_s": 300.0})
    kept = []
    for fidelity in ("object", "vectorized"):
        played = run(few, seed=1, fidelity=fidelity)
        scored = score_run(played)
        folder = save_run(played, scored, break_down(played, scored), tmp_path / fidelity)
        kept.append((folder / LOGS).read_text("utf-8"))
    assert kept[0] == kept[1]
    rows = list(csv.DictReader(kept[0].splitlines()))
    assert len(rows) > 20
    assert all(row["peer"] != row["person"] and int(row["peer"]) >= 0 for row in rows)


def test_a_page_shows_one_crowd_under_two_protocols(crowd: Scenario, tmp_path: Path) -> None:
    folders = []
    for name in ("bluetrace", "gaen"):
        few = crowd.with_({"phones.protocol": name, "phones.radio": "own", "people.count": 8})
        played = run(few, seed=1, fidelity="object")
        scored = score_run(played)
        folders.append(save_run(played, scored, break_down(played, scored), tmp_path / name))
    page = tmp_path / "report.html"
    save_page(folders[0], page, other=folders[1])
    text = page.read_text("utf-8")
    assert "One crowd under two protocols: BlueTrace in A, GAEN in B." in text
    assert "connecting in A, broadcasting in B" in text
    assert "In A the log of the case says who was near, in B that of the contact." in text
    save_page(folders[0], page, other=folders[0])
    assert "One crowd under two protocols" not in page.read_text("utf-8")
    save_page(folders[1], page)
    assert "what the other phones find in their logs is compared" in page.read_text("utf-8")


def test_own_radios_differ_and_the_row_says_by_what(crowd: Scenario) -> None:
    bluetrace, gaen = compare_protocols(crowd, seeds=(1,), names=("bluetrace", "gaen"))
    assert (bluetrace.radio, gaen.radio) == ("connecting", "broadcasting")
    assert (bluetrace.beside == 0).all()
    assert bluetrace.tif is not None
    assert gaen.tif is not None
    assert gaen.tif.median != bluetrace.tif.median
    assert gaen.to_json()["tif_low"] is None  # one seed shows nothing of how seeds vary


def test_the_command_prints_a_row_for_each_protocol(tmp_path: Path) -> None:
    small = ["--set", "people.count=10", "--set", "duration_s=300", "--set", "policy.minutes=1"]
    words = ["simulate", "protocols", "train-carriage", "--radio", "same", "--seeds", "2", *small]
    picture = tmp_path / "protocols.svg"
    done = CliRunner().invoke(cli, [*words, "--protocol", "tcn", "--plot", str(picture), "--json"])
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)["protocols"]
    assert row["protocol"] == "tcn"
    assert row["tif_low"] <= row["tif"] <= row["tif_high"]
    assert (row["tif_beside_bluetrace_low"], row["tif_beside_bluetrace_high"]) == (0, 0)
    assert row["false_per_case"] >= 0
    assert (row["up_bytes_case"], row["linked_share"] > 0) == (134 * 4 * 10, True)
    assert row["last_accepted_s"] is None  # no time is bound to a number
    assert "One crowd, every protocol" in picture.read_text("utf-8")
