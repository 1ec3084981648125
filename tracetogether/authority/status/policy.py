"""Status policies as data: what a case, an order, a contact or symptoms do to a person's passes."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from tracetogether.errors import InvalidRequestError

_OWN: Final = Path(__file__).with_name("policies.toml")
_MOST_DAYS: Final = 14  # no restriction lasts longer
_PEOPLE: Final = 2


class PassEffect(Enum):
    """What a fact does to the passes of a person; the values are ordered by strength in a list."""

    NOTHING = "nothing"
    ADVISE = "advise"
    WITHHOLD = "withhold"


class StatusFact(Enum):
    """Something about a person that a policy has a rule for."""

    CASE = "case"  # tested positive
    ORDER = "order"  # an order that names a place and a time
    CONTACT = "contact"  # close contact by Bluetooth, as the lists compute it
    SYMPTOMS = "symptoms"  # the person declared symptoms


@dataclass(frozen=True, slots=True)
class StatusRule:
    """What one fact does.

    Attributes:
        effect: what happens to passes.
        days: for how many days after the fact.
        people: how many people must decide before it takes effect; 0: nobody.
    """

    effect: PassEffect
    days: int
    people: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What a policy makes of all facts about one person at one time.

    Attributes:
        effect: the strongest of all.
        fact: the one that has it; None without any.
        until_day: the first UTC day on which it has ended; None without any.
        day: UTC day of the fact; 0 without any, and for a restriction.
    """

    effect: PassEffect = PassEffect.NOTHING
    fact: StatusFact | None = None
    until_day: int | None = None
    day: int = 0


@dataclass(frozen=True, slots=True)
class StatusPolicy:
    """A rule for each fact, with the source of the rules.

    Attributes:
        name: what it is called.
        source: where its rules come from.
        case, order, contact, symptoms: the rules.
    """

    name: str
    source: str
    case: StatusRule
    order: StatusRule
    contact: StatusRule
    symptoms: StatusRule

    def rule(self, fact: StatusFact) -> StatusRule:
        """Return the rule of a fact."""
        found: StatusRule = getattr(self, fact.value)
        return found

    def standing(
        self,
        facts: Mapping[StatusFact, int],
        today: int,
        decided: Mapping[StatusFact, int] | None = None,
    ) -> Standing:
        """Return what the facts about a person come to.

        Args:
            facts: fact -> UTC day of the latest such fact. Where people must decide, such a
                fact alone only advises.
            today: number of the UTC day.
            decided: fact -> the first UTC day on which a restriction that enough people decided
                has ended. It withholds if the policy's rule for the fact does.

        Example:
            >>> advice = status_policies()["advice"]
            >>> advice.standing({StatusFact.CONTACT: 100}, 101).effect
            <PassEffect.ADVISE: 'advise'>
        """
        found = [
            Standing(PassEffect.WITHHOLD, fact, until)
            for fact, until in (decided or {}).items()
            if until > today and self.rule(fact).effect is PassEffect.WITHHOLD
        ]
        for fact, day in facts.items():
            rule = self.rule(fact)
            alone = (
                PassEffect.ADVISE
                if rule.people and rule.effect is PassEffect.WITHHOLD
                else rule.effect
            )
            if alone is not PassEffect.NOTHING and today < day + rule.days:
                found.append(Standing(alone, fact, day + rule.days, day))
        return max(found, key=_strength, default=Standing())

    @classmethod
    def from_table(cls, name: str, table: object, place: str = "the policy") -> Self:
        """Read a policy from a table as a TOML file has it.

        Raises:
            InvalidRequestError: a key is missing, or a key or value doesn't exist.
        """
        names = [field.name for field in fields(cls) if field.name != "name"]
        if not isinstance(table, dict) or sorted(table) != sorted(names):
            raise _wrong(place, name, f"expected exactly the keys {', '.join(names)}")
        if not isinstance(table["source"], str) or not table["source"].strip():
            raise _wrong(place, f"{name}.source", "say where the rules come from")
        rules = {fact.value: _rule(place, name, fact, table[fact.value]) for fact in StatusFact}
        return cls(name, table["source"], **rules)

    def to_table(self) -> dict[str, object]:
        """Return what ``from_table`` reads."""
        rules = {
            fact.value: {**asdict(self.rule(fact)), "effect": self.rule(fact).effect.value}
            for fact in StatusFact
        }
        return {"source": self.source, **rules}

    def check_two_people(self) -> Self:
        """Return this policy if an authority may use it.

        Raises:
            InvalidRequestError: it withholds passes on something that fewer than two people decide,
                or by computed Bluetooth contact.
        """
        if self.contact.effect is PassEffect.WITHHOLD:
            msg = (
                "policy {name}: [contact] withholds passes, but computed contact is too often "
                'wrong: set effect = "advise"; the simulator alone takes this policy'
            )
            raise InvalidRequestError(msg, "policy-withholds-by-contact", name=self.name)
        for fact in StatusFact:
            rule = self.rule(fact)
            if rule.effect is PassEffect.WITHHOLD and rule.people < _PEOPLE:
                msg = (
                    "policy {name}: [{fact}] withholds passes without two people: set "
                    "people = 2; the simulator alone takes this policy"
                )
                raise InvalidRequestError(
                    msg, "policy-without-two-people", name=self.name, fact=fact.value
                )
        return self


def status_policies(path: Path | None = None) -> Mapping[str, StatusPolicy]:
    """Return the policies of a TOML file by name: the project's own, or a city's.

    Args:
        path: the file; None for the project's own (``policies.toml`` beside this module).

    Raises:
        InvalidRequestError: the file can't be read, or a policy in it lacks a rule or a source,
            or has a key or value that doesn't exist; the message names the place.
    """
    return _own_policies() if path is None else _read(path)


@cache
def _own_policies() -> Mapping[str, StatusPolicy]:
    return _read(_OWN)


def _read(place: Path) -> Mapping[str, StatusPolicy]:
    try:
        document = tomllib.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        msg = "can't read the policies in {place}: {why}"
        raise InvalidRequestError(
            msg, "policy-file", place=str(place), why=error.strerror or "unknown"
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = "{place} is not TOML: {why}"
        raise InvalidRequestError(msg, "policy-file", place=str(place), why=str(error)) from None
    return MappingProxyType(
        {name: StatusPolicy.from_table(name, given, str(place)) for name, given in document.items()}
    )


def _rule(place: str, name: str, fact: StatusFact, given: Any) -> StatusRule:  # noqa: ANN401 - whatever TOML holds
    where = f"{name}.{fact.value}"
    if not isinstance(given, dict) or sorted(given) != ["days", "effect", "people"]:
        raise _wrong(place, where, "expected { effect = ..., days = ..., people = ... }")
    effects = [effect.value for effect in PassEffect]
    if given["effect"] not in effects:
        raise _wrong(place, f"{where}.effect", f"expected one of {', '.join(effects)}")
    for key, most in (("days", _MOST_DAYS), ("people", _PEOPLE)):
        if type(given[key]) is not int or not 0 <= given[key] <= most:
            raise _wrong(place, f"{where}.{key}", f"expected a whole number from 0 to {most}")
    return StatusRule(PassEffect(given["effect"]), given["days"], given["people"])


def _wrong(place: str, where: str, what: str) -> InvalidRequestError:
    msg = "{place}, {where}: {what}"
    return InvalidRequestError(msg, "policy-value", place=place, where=where, what=what)


def _strength(standing: Standing) -> tuple[int, int]:
    """Return what sorts standings: a withheld pass first, then the one that lasts longest."""
    return list(PassEffect).index(standing.effect), standing.until_day or 0
