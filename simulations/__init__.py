"""A crowd simulator that drives the tracetogether library.

The public names are ``Scenario``, ``scenario_names``, ``run``, ``sweep`` and ``compare``. They are
imported when they are first used, so that a command which needs only a scenario starts at once.

>>> from simulations import scenario_names
>>> "train-carriage" in scenario_names()
True
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulations.library.comparisons import CrowdComparison, compare
    from simulations.library.one_crowd import CrowdRun, run
    from simulations.library.sweeps import CrowdSweep, sweep
    from simulations.settings.scenario import Scenario, scenario_names

__all__ = [
    "CrowdComparison",
    "CrowdRun",
    "CrowdSweep",
    "Scenario",
    "compare",
    "run",
    "scenario_names",
    "sweep",
]

_ROOMS = {
    "CrowdComparison": "simulations.library.comparisons",
    "CrowdRun": "simulations.library.one_crowd",
    "CrowdSweep": "simulations.library.sweeps",
    "Scenario": "simulations.settings.scenario",
    "compare": "simulations.library.comparisons",
    "run": "simulations.library.one_crowd",
    "scenario_names": "simulations.settings.scenario",
    "sweep": "simulations.library.sweeps",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute is anything
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ROOMS[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
