"""Shards in other processes, of this machine or of a cluster, and the rows that go between them.

A process has a ``RemoteShard``, which packs and unpacks what its shard sends. The process that
started the run hands the packed rows on unread, step by step.
"""

import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from simulations.city.exchange import Stepper
from simulations.city.network import Network
from simulations.city.people import People
from simulations.city.shard import ShardAnswer, ShardPlan
from simulations.studies.memory import peak_mb

Letters = list[bytes]
"""Packed rows: one letter for each shard, or one from each shard."""
_NOTHING: Final = b""


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What a finished shard says.

    Attributes:
        answer: what it counted.
        columns: the state of its people by column; none if the memory is shared.
        cpu_s: CPU seconds that it took.
        peak_mb: largest memory of its process, megabytes.
        process: a name of its process, which may have had several shards.
    """

    answer: ShardAnswer
    columns: dict[str, npt.NDArray[Any]]
    cpu_s: float
    peak_mb: float
    process: str


class RemoteShard:
    """One shard in a process that has no other memory of the run.

    Args:
        plan: of the run.
        number: of the shard, from 0.
        process: a name of this process.
        memory: for everybody's state, shared with the process that started the run. If None, the
            shard sends the state of its people at the end.
    """

    def __init__(
        self, plan: ShardPlan, number: int, process: str, memory: memoryview | None = None
    ) -> None:
        began = time.thread_time()
        self._number, self._process, self._shared = number, process, memory is not None
        self._rows = slice(plan.bounds[number], plan.bounds[number + 1])
        self._people = People(plan.scenario.people.count, self._rows, memory)
        network = Network(plan.scenario, plan.seed)
        self._stepper = Stepper(plan.shard(number, network, self._people).run())
        self._kept: Any = None
        self._cpu_s = time.thread_time() - began

    def step(self, letters: Letters) -> Letters | ShardReport:
        """Run to the next exchange, and return a letter to each shard; at the end, a report.

        Args:
            letters: what each shard sent to this one; none in the first step.
        """
        began = time.thread_time()
        received = [
            # Letters come from other shards of this run alone.
            pickle.loads(letter) if letter else self._kept  # noqa: S301
            for letter in letters
        ]
        sent = self._stepper.step(received)
        packed: Letters = []
        if sent is not None:
            self._kept = sent[self._number]  # a shard's rows for itself stay where they are
            packed = [
                _NOTHING if number == self._number else pickle.dumps(columns, protocol=5)
                for number, columns in enumerate(sent)
            ]
        self._cpu_s += time.thread_time() - began
        return packed if sent is not None else self._report()

    def _report(self) -> ShardReport:
        columns = {} if self._shared else self._people.rows(self._rows)
        (answer,) = self._stepper.answers
        return ShardReport(answer, columns, self._cpu_s, peak_mb(), self._process)


class ShardLine(Protocol):
    """A connection to a remote shard, which the process that started the run holds."""

    def send(self, letters: Letters) -> None:
        """Let the shard take a step."""

    def receive(self) -> Letters | ShardReport:
        """Wait for the end of the step."""


def run_to_the_end(lines: Sequence[ShardLine]) -> list[ShardReport]:
    """Carry letters between shards until all have reported."""
    letters: list[Letters] = [[] for _ in lines]
    while True:
        for line, given in zip(lines, letters, strict=True):
            line.send(given)
        said = [line.receive() for line in lines]
        reports = [part for part in said if isinstance(part, ShardReport)]
        if reports:
            return reports
        sent = [part for part in said if not isinstance(part, ShardReport)]
        letters = [[parts[number] for parts in sent] for number in range(len(lines))]


@dataclass(frozen=True, slots=True)
class RemoteRun:
    """What remote shards did together.

    Attributes:
        answers: of the shards, in order.
        people: everybody's state.
        cpu_s: CPU seconds of all shards.
        peak_mb: largest memory of their processes, added up, megabytes. Memory that processes
            share counts in the one that wrote it.
    """

    answers: list[ShardAnswer]
    people: People
    cpu_s: float
    peak_mb: float

    @classmethod
    def of(cls, plan: ShardPlan, reports: Sequence[ShardReport], people: People) -> "RemoteRun":
        """Put reports together, with the people's state where it was sent."""
        for number, report in enumerate(reports):
            people.set_rows(slice(plan.bounds[number], plan.bounds[number + 1]), report.columns)
        peaks: dict[str, float] = {}
        for report in reports:
            peaks[report.process] = max(report.peak_mb, peaks.get(report.process, 0.0))
        return cls(
            [report.answer for report in reports],
            people,
            float(np.sum([report.cpu_s for report in reports])),
            sum(peaks.values()),
        )
