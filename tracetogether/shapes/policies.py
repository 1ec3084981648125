"""Shapes of policies: the least chance of a close contact, and calls against contacts found."""

from typing import Annotated, Self

from pydantic import Field

from tracetogether.authority.contacts.costs import Cut, chance_to_call
from tracetogether.authority.desk.policies import Costs
from tracetogether.shapes.bodies import AnswerBody, RequestBody
from tracetogether.shapes.contacts import Policy


class LeastChance(RequestBody):
    """How likely a contact must be to be close."""

    least_chance: Annotated[float, Field(ge=0.01, le=0.99, examples=[0.3])]


class Policies(AnswerBody):
    """The policies that can be asked for, and the least chance that all of them have."""

    least_chance: float
    policies: dict[str, Policy]


class CutLine(AnswerBody):
    """What comes of calling everybody who has this chance or more."""

    least_chance: float
    calls: int
    found: Annotated[float, Field(description="Expected contacts among those called.")]
    missed: Annotated[float, Field(description="Expected contacts among the others.")]
    precision: Annotated[float | None, Field(description="Expected share of those called.")]
    recall: Annotated[float | None, Field(description="Expected share of all contacts.")]


class CostCurveShape(AnswerBody):
    """Calls against contacts found, by the chances of the lists themselves."""

    policy: Policy
    case_id: Annotated[str, Field(description="Empty: all open cases that the caller may see.")]
    cases: int
    contacts: Annotated[int, Field(description="People on these lists.")]
    expected: Annotated[float, Field(description="Expected contacts among them.")]
    cut: Annotated[
        CutLine, Field(description="At cost / value; without these, at the least chance set.")
    ]
    gain: Annotated[
        float | None, Field(description="Value of the contacts found, less the cost of calls.")
    ]
    curve: Annotated[list[CutLine], Field(description="At each per cent from 99 to 1.")]

    @classmethod
    def of_costs(cls, costs: Costs, cost: float | None = None, value: float | None = None) -> Self:
        """Return the curve, cut where a call of this cost is worth it.

        Raises:
            InvalidRequestError: cost or value is not above 0.
        """
        cut, gain = cut_of(costs, cost, value)
        return cls(
            policy=Policy.of(costs.policy),
            case_id=costs.case_id,
            cases=costs.cases,
            contacts=len(costs.curve.chance),
            expected=costs.curve.expected,
            cut=CutLine.of(cut),
            gain=gain,
            curve=[CutLine.of(costs.curve.cut(per_cent / 100)) for per_cent in range(99, 0, -1)],
        )


def cut_of(costs: Costs, cost: float | None, value: float | None) -> tuple[Cut, float | None]:
    """Return where to cut, and the expected gain; at the policy's least chance without a cost.

    Args:
        costs: the curve.
        cost: of one call; None for no cost.
        value: of one contact found; None for no value.

    Raises:
        InvalidRequestError: only one of them is given, or one is not above 0.
    """
    if cost is None and value is None:
        return costs.curve.cut(costs.policy.least_chance), None
    cost, value = cost or 0.0, value or 0.0
    cut = costs.curve.cut(chance_to_call(cost, value))
    return cut, cut.gain(cost, value)
