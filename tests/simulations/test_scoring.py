import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulations.one_run import Run, run
from simulations.scores.scoring import ListedContact, Scores, fraction, score_case, score_run
from simulations.scores.tracing import trace
from simulations.scores.truth import GroundTruth, ground_truth, pair_codes
from simulations.settings.scenario import Scenario
from simulations.streams import Streams
from tracetogether.authority.contacts.lines import UNKEYED, pseudonym
from tracetogether.parameters import CloseContactPolicy
from tracetogether.units import Interval

POLICY = CloseContactPolicy("test", 2.0, 4.0)


def line(pseudonym: str, *, close_contact: bool) -> ListedContact:
    minutes, nearest_m = Interval(1.0, 5.0, 9.0), Interval(0.5, 1.0, 2.0)
    return ListedContact(pseudonym, float(close_contact), minutes, nearest_m, close_contact)


def score(played: Run, **options: Any) -> Scores:
    return score_run(played, **options).scores


def made_up(played: Run, minutes: dict[tuple[int, int], float]) -> GroundTruth:
    pairs = {
        int(pair_codes(*np.array(pair), played.tracks.people)): near
        for pair, near in minutes.items()
    }
    codes = sorted(pairs)
    near = np.array([pairs[code] for code in codes])
    return GroundTruth(2.0, played.tracks, np.array(codes), near)


@pytest.fixture
def truth(short_run: Run) -> GroundTruth:
    """Made up: the first with the app met the second and third, nobody else anybody."""
    case, one, two, *_ = short_run.app.tolist()
    return made_up(short_run, {(case, one): 6.0, (case, two): 6.0})


def name(played: Run, index: int) -> str:
    return pseudonym(played.user_ids[int(played.app[index])], UNKEYED)


def test_found_missed_and_false(short_run: Run, truth: GroundTruth) -> None:
    case = int(short_run.app[0])
    lines = [
        line(name(short_run, 1), close_contact=True),
        line(name(short_run, 2), close_contact=False),
        line(name(short_run, 3), close_contact=True),
        line("NOBOD-YKNOW", close_contact=True),
    ]
    scored = score_case(short_run, truth, case, lines, POLICY)
    assert (scored.found, scored.missed, scored.false_contacts) == (1, 1, 2)
    assert scored.true_contacts == 2
    assert scored.missed_people == (int(short_run.app[2]),)
    assert [line.person for line in scored.listed] == [*short_run.app[1:4].tolist(), None]
    assert scored.listed[0].true_minutes == 6.0
    assert scored.listed[3].true_minutes == 0.0
    assert np.isinf(scored.listed[3].true_nearest_m)


def test_who_is_not_listed_at_all_is_missed(short_run: Run, truth: GroundTruth) -> None:
    scored = score_case(short_run, truth, int(short_run.app[0]), [], POLICY)
    assert (scored.found, scored.missed, scored.false_contacts) == (0, 2, 0)


def test_people_without_the_app_do_not_count(short_run: Run) -> None:
    without = next(p for p in range(short_run.tracks.people) if p not in short_run.logs)
    case, one, two, *_ = short_run.app.tolist()
    truth = made_up(short_run, {(case, one): 6.0, (case, two): 6.0, (case, without): 30.0})
    scored = score_case(short_run, truth, int(short_run.app[0]), [], POLICY)
    assert scored.true_contacts == 2


def test_a_summary_is_that_of_all_lines(short_run: Run) -> None:
    whole = score(short_run)
    lines = [line for case in whole.cases for line in case.listed]
    close = [line for line in lines if line.close_contact]
    assert whole.found == sum(line.true_contact for line in close) > 0
    assert whole.false_contacts == len(close) - whole.found
    assert whole.found == sum(case.found for case in whole.cases)
    assert whole.missed == sum(len(case.missed_people) for case in whole.cases) > 0
    assert whole.tif is not None
    assert whole.tif.median == whole.found / (whole.found + whole.missed)
    assert whole.precision == whole.found / len(close)
    wrong = [abs(line.minutes.median - line.true_minutes) for line in lines]
    assert whole.minutes_mae == pytest.approx(np.mean(wrong))
    held = [line.minutes.low <= line.true_minutes <= line.minutes.high for line in lines]
    assert whole.coverage == pytest.approx(np.mean(held))
    said = whole.to_json()
    assert said["found"] == whole.found
    assert said["tif_low"] <= said["tif"] <= said["tif_high"]  # type: ignore[operator]


def test_nothing_to_find(short: Scenario) -> None:
    alone = replace(short, duration_s=30.0, people=replace(short.people, adoption=0.01))
    empty = score(run(alone, seed=1))
    assert empty.tif is None
    assert empty.precision is None
    assert empty.minutes_mae is None
    assert empty.to_json()["tif"] is None


def test_interval_of_a_fraction() -> None:
    chance = Streams(1).generator("test")
    true = np.full(400, 2.0)
    found = np.resize([0.0, 2.0], 400)  # all or nothing: cases stand or fall together
    share = fraction(found, true, chance)
    assert share is not None
    assert share.median == 0.5
    assert share.high - share.low == pytest.approx(2 * 1.645 * 0.5 / np.sqrt(400), rel=0.1)
    assert fraction(found, np.zeros(400), chance) is None


def test_a_large_crowds_interval_takes_no_more_memory() -> None:
    true, chance = np.full(20_000, 2.0), np.random.default_rng(1)
    tracemalloc.start()
    try:
        share = fraction(true / 2, true, chance)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert share == Interval(0.5, 0.5, 0.5)
    assert peak < 100e6  # all at once it was 640 MB


def test_the_real_chain_traces_people_who_were_there(short_run: Run) -> None:
    people = {pseudonym(user_id, UNKEYED) for user_id in short_run.user_ids.values()}
    for person in short_run.app.tolist():
        contacts = trace(short_run, person, POLICY)
        assert contacts
        own = pseudonym(short_run.user_ids[person], UNKEYED)
        assert {contact.pseudonym for contact in contacts} <= people - {own}
        for contact in contacts:
            assert contact.minutes.low < contact.minutes.high


def test_a_log_alone_is_worthless_without_the_issuer(short_run: Run) -> None:
    with pytest.raises(ValueError, match="give its issuer"):
        trace(replace(short_run, issuer=None), int(short_run.app[0]), POLICY)


def test_score_of_a_run(short_run: Run) -> None:
    whole = score(short_run)
    assert whole.policy.minutes == 4.0
    assert [case.person for case in whole.cases] == short_run.app.tolist()
    truth = ground_truth(short_run.tracks, 2.0).table()[np.ix_(short_run.app, short_run.app)]
    assert whole.found + whole.missed == (truth >= 4.0).sum()
    assert score(short_run).to_json() == whole.to_json()
    sample = score(short_run, cases=4)
    assert len(sample.cases) == 4
    assert {case.person for case in sample.cases} <= set(short_run.app.tolist())
    assert sample.cases == tuple(case for case in whole.cases if case in sample.cases)
    assert score(short_run, cases=99).cases == whole.cases


def test_the_train_carriage(full_run: Run) -> None:
    """What phones whose radios nobody measured make of it: intervals that are honest."""
    whole = score(full_run)
    assert len(whole.cases) == 48
    assert whole.found + whole.missed > 60
    assert whole.tif is not None
    assert 0 < whole.tif.low < whole.tif.high < 1
    assert whole.coverage is not None
    assert 0.85 <= whole.coverage <= 1.0
    lines = [line for case in whole.cases for line in case.listed]
    chance = np.array([line.probability for line in lines])
    true = np.array([line.true_contact for line in lines])
    above = (chance[true][:, None] > chance[~true][None, :]).mean()
    assert above > 0.7  # recordings: 0.75 to 0.83


def test_adoption_changes_what_can_be_found(short: Scenario) -> None:
    def true_contacts(adoption: float) -> int:
        people = replace(short.people, adoption=adoption)
        whole = score(run(replace(short, people=people), seed=1))
        return whole.found + whole.missed

    few, many = true_contacts(0.4), true_contacts(1.0)
    assert many > 3 * few > 0  # (0.4 / 1.0)**2 is 0.16


def test_a_policy_is_data(short_run: Run) -> None:
    strict = score(short_run, policy=CloseContactPolicy("long", 2.0, 6.9))
    lax = score(short_run, policy=CloseContactPolicy("lax", 3.0, 1.0))
    assert strict.found + strict.missed < lax.found + lax.missed
    assert lax.found > strict.found
