"""A team's day as values: what each tracer has to do, has done and does now."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TracerDay:
    """One tracer's day, in numbers.

    Attributes:
        name: the operator's; "" for the cases that are assigned to nobody.
        cases: open cases that are assigned to the tracer.
        due: people of those cases to call today, whom nobody has called today.
        overdue: those of them whom nobody has called since before yesterday.
        done: people whom the tracer has called today, of whichever case.
        reserved: people whom the tracer calls now.
        shift_since, shift_until: epoch seconds; None without a shift.
    """

    name: str
    cases: int = 0
    due: int = 0
    overdue: int = 0
    done: int = 0
    reserved: int = 0
    shift_since: float | None = None
    shift_until: float | None = None
