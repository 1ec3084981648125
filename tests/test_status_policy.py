"""Status policies: rules as data, and what no authority may use."""

from dataclasses import replace
from pathlib import Path

import pytest

from tracetogether.authority.status.policy import (
    PassEffect,
    Standing,
    StatusFact,
    StatusPolicy,
    StatusRule,
    status_policies,
)
from tracetogether.errors import InvalidRequestError

ADVICE, STRICT = status_policies()["advice"], status_policies()["strict-2020"]
CITY = """
[city]
source = "Order 7 of the city"
case = { effect = "withhold", days = 10, people = 2 }
order = { effect = "withhold", days = 7, people = 2 }
contact = { effect = "advise", days = 5, people = 0 }
symptoms = { effect = "nothing", days = 0, people = 0 }
"""


@pytest.mark.parametrize("fact", [StatusFact.CASE, StatusFact.CONTACT, StatusFact.SYMPTOMS])
def test_no_fact_alone_withholds_under_advice(fact: StatusFact) -> None:
    standing = ADVICE.standing({fact: 100}, 100)
    assert standing.effect is PassEffect.ADVISE
    everything = ADVICE.standing(dict.fromkeys(StatusFact, 100), 100)
    assert everything.effect is PassEffect.ADVISE


@pytest.mark.parametrize("fact", [StatusFact.CASE, StatusFact.ORDER])
def test_what_two_people_decided_withholds_until_it_ends(fact: StatusFact) -> None:
    found = [ADVICE.standing({}, today, {fact: 103}).effect for today in (100, 102, 103)]
    assert found == [PassEffect.WITHHOLD, PassEffect.WITHHOLD, PassEffect.NOTHING]


def test_nobody_can_decide_to_withhold_by_contact_under_advice() -> None:
    assert ADVICE.standing({}, 100, {StatusFact.CONTACT: 110}) == Standing()


def test_strict_2020_is_red_for_14_days_and_yellow_for_7() -> None:
    def withheld(fact: StatusFact) -> int:
        return sum(
            STRICT.standing({fact: 0}, day).effect is PassEffect.WITHHOLD for day in range(30)
        )

    assert (withheld(StatusFact.CASE), withheld(StatusFact.CONTACT)) == (14, 7)


def test_the_strongest_counts_and_of_two_equal_ones_the_longer() -> None:
    facts = {StatusFact.CONTACT: 100, StatusFact.SYMPTOMS: 100}
    assert ADVICE.standing(facts, 100) == Standing(PassEffect.ADVISE, StatusFact.CONTACT, 114, 100)
    both = ADVICE.standing(facts, 100, {StatusFact.ORDER: 102})
    assert both == Standing(PassEffect.WITHHOLD, StatusFact.ORDER, 102)


def test_a_citys_own_policy_is_read(tmp_path: Path) -> None:
    place = tmp_path / "city.toml"
    place.write_text(CITY, "utf-8")
    (found,) = status_policies(place).values()
    assert found.case == StatusRule(PassEffect.WITHHOLD, 10, 2)
    assert found.check_two_people() is found
    assert StatusPolicy.from_table("city", found.to_table()) == found


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ('source = "Order 7 of the city"', 'source = " "', "city.source"),
        ("days = 10", "days = 15", "city.case.days"),
        ("days = 10", "days = -1", "city.case.days"),
        ("days = 10", "days = true", "city.case.days"),
        ("people = 2 }\ncontact", "people = 3 }\ncontact", "city.order.people"),
        ('"advise"', '"punish"', "city.contact.effect"),
        ("days = 5", "day = 5", "city.contact"),
        ("[city]", "[city]\nscore = 1", "city"),
        ("symptoms =", "# symptoms =", "city"),
        ("[city]", "city", "not TOML"),
    ],
)
def test_a_wrong_policy_is_refused_with_its_place(
    tmp_path: Path, before: str, after: str, place: str
) -> None:
    path = tmp_path / "city.toml"
    assert before in CITY
    path.write_text(CITY.replace(before, after), "utf-8")
    with pytest.raises(InvalidRequestError, match=place):
        status_policies(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="gone"):
        status_policies(tmp_path / "gone.toml")


@pytest.mark.parametrize("fact", list(StatusFact))
def test_threat_computed_red_no_policy_withholds_without_two_people(fact: StatusFact) -> None:
    for people in (0, 1, 2):
        rule = StatusRule(PassEffect.WITHHOLD, 7, people)
        changed = replace(ADVICE, **{fact.value: rule})
        if people == 2 and fact is not StatusFact.CONTACT:
            changed.check_two_people()
        else:
            with pytest.raises(InvalidRequestError):
                changed.check_two_people()
