"""Who may have infected whom: the dates' order, the sharing out, and what is never claimed."""

import numpy as np
import pytest
from scipy import stats

from tracetogether.authority.contacts.transmission import (
    ASSUMPTIONS,
    Candidate,
    DiseaseCourse,
    Infection,
    candidates,
)
from tracetogether.parameters import TRANSMISSION, TransmissionParameters
from tracetogether.units import Interval

DAY = 18_386
SURE = TransmissionParameters(date_sd_days=1e-6)


def minutes(median: float, low: float | None = None, high: float | None = None) -> Interval:
    return Interval(median if low is None else low, median, median if high is None else high)


def case(person: str, day: int) -> Infection:
    return Infection(f"CASE-{person}", person, day)


def of(found: tuple[Candidate, ...], infector: str, infected: str) -> Candidate:
    (only,) = [
        candidate
        for candidate in found
        if (candidate.infector.person, candidate.infected.person) == (infector, infected)
    ]
    return only


def naive_weight(infector_day: int, infected_day: int, met: dict[int, float]) -> float:
    """The same by scipy's distributions and a plain loop."""
    infectious = stats.gamma(97.1875, loc=-25.625, scale=1 / 3.7185)
    incubation = stats.lognorm(0.418, scale=np.exp(1.621))

    def of_day(distribution: stats.rv_continuous, day: int) -> float:
        return float(distribution.cdf(day + 0.5) - distribution.cdf(day - 0.5))

    return sum(
        near * of_day(infectious, day - infector_day) * of_day(incubation, infected_day - day)
        for day, near in met.items()
    )


def test_weights_are_those_of_the_published_distributions() -> None:
    met = {DAY - 1: 30.0, DAY: 10.0, DAY + 2: 5.0, DAY + 30: 60.0}
    course = DiseaseCourse(SURE)
    weights = course.weights(DAY, DAY + 5, {day: minutes(near) for day, near in met.items()})
    assert weights.shape == (4, 3)
    assert weights.sum(axis=0)[1] == pytest.approx(naive_weight(DAY, DAY + 5, met), rel=1e-6)
    assert naive_weight(DAY, DAY + 5, met) > 0


def test_the_published_figures_are_what_they_are_said_to_be() -> None:
    incubation = stats.lognorm(
        TRANSMISSION.incubation_log_sd, scale=np.exp(TRANSMISSION.incubation_log_mean)
    )
    assert incubation.median() == pytest.approx(5.1, abs=0.05)
    assert incubation.ppf(0.975) == pytest.approx(11.5, abs=0.1)  # Lauer et al.: 11.5 days
    infectious = stats.gamma(
        TRANSMISSION.infectious_shape,
        loc=-TRANSMISSION.infectious_shift,
        scale=1 / TRANSMISSION.infectious_rate,
    )
    assert infectious.cdf(0) == pytest.approx(0.44, abs=0.02)  # before symptoms: He et al.: 44 %
    assert infectious.mean() == pytest.approx(0.5, abs=0.05)
    assert infectious.std() == pytest.approx(2.7, abs=0.06)


def test_the_earlier_case_is_the_likelier_source() -> None:
    pair = [case("A", DAY), case("B", DAY + 5)]
    found = candidates(pair, {("A", "B"): {DAY: minutes(60)}})
    there, back = of(found, "A", "B"), of(found, "B", "A")
    assert there.share.median > 3 * back.share.median
    assert there.direction > 0.8
    assert there.direction + back.direction == pytest.approx(1)
    assert there.days_between == 5
    assert there.likeliest_day == DAY


def test_a_meeting_after_the_symptoms_infected_nobody() -> None:
    pair = [case("A", DAY), case("B", DAY + 5)]
    early = candidates(pair, {("A", "B"): {DAY: minutes(60)}}, SURE)
    late = candidates(pair, {("A", "B"): {DAY + 7: minutes(60)}}, SURE)
    assert of(early, "A", "B").share.median > 0.5
    assert [candidate for candidate in late if candidate.infected.person == "B"] == []


def test_sources_share_one_infection_among_them_and_nobody() -> None:
    three = [case("A", DAY), case("C", DAY + 1), case("B", DAY + 5)]
    met = {("A", "B"): {DAY: minutes(30)}, ("B", "C"): {DAY: minutes(30)}}
    found = [candidate for candidate in candidates(three, met) if candidate.infected.person == "B"]
    shares = [candidate.share.median for candidate in found]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) == 2
    assert 0.5 < sum(shares) < 0.95  # the rest is of somebody whom no log names


def test_what_is_unknown_of_minutes_is_unknown_of_shares() -> None:
    pair = [case("A", DAY), case("B", DAY + 5)]
    vague = of(candidates(pair, {("A", "B"): {DAY: minutes(30, 2, 60)}}), "A", "B").share
    exact = of(candidates(pair, {("A", "B"): {DAY: minutes(30)}}), "A", "B").share
    assert vague.median == exact.median == exact.low == exact.high
    assert vague.low < vague.median < vague.high < 1


def test_who_did_not_meet_is_no_candidate() -> None:
    assert candidates([case("A", DAY), case("B", DAY + 5)], {}) == ()
    assert candidates([case("A", DAY)], {("A", "B"): {DAY: minutes(60)}}) == ()


@pytest.mark.parametrize(
    ("change", "grows"),
    [
        (TransmissionParameters(unrecorded_minutes=60), False),
        (TransmissionParameters(unrecorded_minutes=1), True),
        (TransmissionParameters(date_sd_days=0.5), False),  # it fits these dates badly
        (TransmissionParameters(incubation_log_mean=2.4), False),  # two days are too few then
        (TransmissionParameters(incubation_log_sd=1.0), True),
        (TransmissionParameters(infectious_rate=3.4), True),  # infectious three days later
        (TransmissionParameters(infectious_shift=31.0), False),  # infectious long before
    ],
)
def test_every_figure_has_its_effect(change: TransmissionParameters, *, grows: bool) -> None:
    pair = [case("A", DAY), case("B", DAY + 5)]
    met = {("A", "B"): {DAY + 3: minutes(30)}}
    usual = of(candidates(pair, met), "A", "B").share.median
    other = of(candidates(pair, met, change), "A", "B").share.median
    assert (other > usual) is grows


def test_every_assumption_names_its_source() -> None:
    assert len({assumption.code for assumption in ASSUMPTIONS}) == len(ASSUMPTIONS)
    assert all(assumption.source and assumption.text.endswith(".") for assumption in ASSUMPTIONS)
