"""A list of checks: each passes, fails with what was seen and a remedy, or could not be tried."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar


class CheckResult(Enum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TRIED = "not tried"


class CheckFailedError(Exception):
    """What was checked is wrong; the message says what was seen."""


class PeerRefusedError(CheckFailedError):
    """What is checked refused a request, where a check may expect it to."""


class CheckNotTriedError(Exception):
    """A check needs something that is not there; the message says what."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        check: its name.
        title: what must hold.
        outcome: how it ended.
        saw: what was seen, without secrets.
        remedy: what to do if it failed.
    """

    check: str
    title: str
    outcome: CheckResult
    saw: str
    remedy: str

    def to_json(self) -> dict[str, str]:
        """Return it for JSON; the remedy only where it is needed."""
        said = {
            "check": self.check,
            "title": self.title,
            "outcome": self.outcome.value,
            "saw": self.saw,
        }
        return {**said, "remedy": self.remedy} if self.outcome is CheckResult.FAILED else said


_Run = TypeVar("_Run")


@dataclass(frozen=True)  # slots and a generic alias do not go together
class Check(Generic[_Run]):
    """One check.

    Attributes:
        name: of one word or a few, with hyphens.
        title: what must hold.
        remedy: what to do if it fails.
        run: returns what was seen; raises CheckFailedError or CheckNotTriedError.
    """

    name: str
    title: str
    remedy: str
    run: _Run

    def passed(self, saw: str) -> Finding:
        """Return the finding of a check that passed."""
        return Finding(self.name, self.title, CheckResult.PASSED, saw, self.remedy)

    def ended(self, error: Exception) -> Finding:
        """Return the finding of a check that failed or could not be tried."""
        untried = isinstance(error, CheckNotTriedError)
        result = CheckResult.NOT_TRIED if untried else CheckResult.FAILED
        return Finding(self.name, self.title, result, str(error), self.remedy)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The results of all checks, in their order."""

    findings: Sequence[Finding]

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The checks that failed."""
        return tuple(found for found in self.findings if found.outcome is CheckResult.FAILED)

    def counts(self) -> dict[str, int]:
        """Return how many checks ended in each way."""
        seen = Counter(found.outcome for found in self.findings)
        return {outcome.value: seen[outcome] for outcome in CheckResult}

    def to_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        counts = {name.replace(" ", "_"): count for name, count in self.counts().items()}
        return {**counts, "checks": [found.to_json() for found in self.findings]}


def require(holds: object, saw: str) -> None:
    """Fail the check unless something holds.

    Raises:
        CheckFailedError: with what was seen.
    """
    if not holds:
        raise CheckFailedError(saw)
