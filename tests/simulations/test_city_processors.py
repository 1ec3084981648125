"""A city's digest is the same on every processor: whole numbers decide, and tables are safe.

Results of exp, log and the like differ between mathematical libraries in the last bits. They may
only make tables, before the first day, and no value of a table may lie close to a rounding tie.
"""

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import simulations.city
from simulations.city import detection, hashes
from simulations.city.calibration import attempt_scale
from simulations.city.detection import detection_table
from simulations.city.disease import Disease
from simulations.city.network import Network
from simulations.city.response import Response
from simulations.city.run import run_city
from simulations.city.scenario import city_names, load_city
from simulations.city.tracing import CityTracing
from simulations.city.transmission import PoissonTable, Transmission

FOLDER = Path(simulations.city.__file__).parent
INEXACT = {
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "pow", "power", "float_power"),
    *("sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "arctan2", "cbrt", "logaddexp"),
    *("gamma", "lognorm", "norm", "nbinom", "binom", "beta", "poisson", "erf", "ndtri", "ndtr"),
    *("betaincinv", "gammaincinv", "stdtrit", "brentq", "quantile", "ppf", "cdf"),
}
"""Functions whose last bits may differ between mathematical libraries."""
TABLES = {
    "detection": {"_share", "_rate"},
    "disease": {"__init__", "generation_shares"},
    "network": {"_random_intensities"},
    "neighbourhoods": {"workplace_sizes", "_numbers"},
    "response": {"__init__"},
    "transmission": {"__init__"},
}
"""Functions of the modules of a run that make tables before the first day."""
OF_A_RUN = (
    *("calibration", "detection", "disease", "effects", "hashes", "look_back", "neighbourhoods"),
    *("network", "own_measures", "people", "response", "run", "shard", "shuffles", "tracing"),
    *("transmission", "distinct", "exchange"),
)


def inexact_calls(source: str) -> dict[str, set[str]]:
    """Return function -> names of inexact functions that it calls."""
    found: dict[str, set[str]] = {}

    def visit(node: ast.AST, function: str) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node.name
        if isinstance(node, ast.Call):
            names = {sub.attr for sub in ast.walk(node.func) if isinstance(sub, ast.Attribute)}
            names |= {sub.id for sub in ast.walk(node.func) if isinstance(sub, ast.Name)}
            for name in names & INEXACT:
                found.setdefault(function, set()).add(name)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            exponent, base = node.right, node.left
            exact = isinstance(exponent, ast.Constant) and exponent.value in {2, -1}
            if not exact and not isinstance(base, ast.Constant):
                found.setdefault(function, set()).add("**")
        for child in ast.iter_child_nodes(node):
            visit(child, function)

    visit(ast.parse(source), "<module>")
    return found


def test_a_run_has_inexact_functions_only_where_tables_are_made() -> None:
    for module in OF_A_RUN:
        found = set(inexact_calls((FOLDER / f"{module}.py").read_text("utf-8")))
        if module == "calibration":  # its one number is rounded to nine digits
            continue
        assert found <= TABLES.get(module, set()), module
    text = "def f():\n  return np.exp(1) + stats.gamma.ppf(2) + x**2 + y**0.3"
    assert inexact_calls(text) == {"f": {"exp", "gamma", "ppf", "**"}}


ALL_ON = {
    "tests.share": "0.8",
    "isolation.compliance": "0.6",
    "app.adoption": "0.7",
    "tracers.cases_per_100k": "300",
    "household_quarantine.compliance": "0.7",
    "quarantine.lost_per_false_alarm": "0.2",
    "masks.wearing": "0.5",
    "closures.city": "0.3",
    "people.count": "2000",
    "days": "40",
    "app.second_degree": "true",
}


def test_a_day_calls_no_inexact_function(monkeypatch: pytest.MonkeyPatch) -> None:
    days: list[bool] = []

    def in_a_day(method: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **named: Any) -> Any:
            days.append(True)
            try:
                return method(*args, **named)
            finally:
                days.pop()

        return called

    def forbidden(name: str, whole: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **named: Any) -> Any:
            assert not days, f"{name} is called on a day of a run"
            seen.add(name)
            return whole(*args, **named)

        return called

    seen: set[str] = set()
    for owner, name in (
        (Transmission, "attempts"),
        (Transmission, "infections"),
        (CityTracing, "by_app"),
        (CityTracing, "by_tracers"),
        (Response, "expect_symptoms"),
        (Response, "_symptoms"),
        (Response, "_warn"),
        (Response, "_quarantine"),
    ):
        monkeypatch.setattr(owner, name, in_a_day(getattr(owner, name)))
    for name in ("exp", "log", "log1p", "expm1", "power", "sqrt"):
        monkeypatch.setattr(np, name, forbidden(name, getattr(np, name)))
    played = run_city(load_city("test-town", ALL_ON), seed=1)
    assert played.costs.warned > 0 < played.costs.interviews
    assert "exp" in seen  # of the tables


def ties(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> list[float]:
    """Return how far each rounded table value is from a tie, relative to the value."""
    found: list[np.ndarray] = []
    whole = np.rint

    def noted(values: Any, *args: Any, **named: Any) -> Any:
        frame = sys._getframe(1)
        caller, function = Path(frame.f_code.co_filename), frame.f_code.co_name
        # Shares of ages and homes are sums and quotients, which are exact everywhere.
        simple = function == "_apportioned" and frame.f_back.f_code.co_name != "_numbers"
        if caller.parent == FOLDER and caller.name != Path(hashes.__file__).name and not simple:
            x = np.abs(np.asarray(values, dtype=np.float64)).ravel()
            found.append(np.abs(x - np.floor(x) - 0.5) / np.maximum(x, 1))
        return whole(values, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(np, "rint", noted)
        work()
    return np.concatenate(found).tolist()


@pytest.mark.parametrize("name", city_names())
def test_no_value_of_a_table_is_close_to_a_tie(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = load_city(name, {"people.count": "20000"})

    def tables() -> None:
        network = Network(scenario, 1)
        disease = Disease(scenario.disease, network, 1)
        Transmission(scenario, network, disease, 1, 1e-4)

    distances = np.array(ties(monkeypatch, tables))
    assert len(distances) > 5_000
    # A distance of 0 is a half of a whole number, which is exact everywhere.
    assert ((distances == 0) | (distances > 1e-9)).all()


@pytest.mark.parametrize("protocol", ["bluetrace", "gaen"])
def test_no_drawn_share_is_close_to_a_tie(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    distances: list[float] = []

    def noted(value: float, digits: int) -> float:
        scaled = value * 10**digits
        distances.append(abs(scaled % 1 - 0.5) / max(scaled, 1))
        return round(value, digits)

    monkeypatch.setattr(detection, "round", noted, raising=False)
    for seed in range(1, 6):
        detection_table(protocol).drawn(seed)
    assert len(distances) > 500
    assert min(distances) > 1e-12


def test_the_poisson_table_needs_no_exponential_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = PoissonTable()._ends
    for name in ("exp", "power", "log"):
        monkeypatch.setattr(np, name, None)
    assert (PoissonTable()._ends == whole).all()


@pytest.mark.parametrize("name", city_names())
def test_the_infectiousness_of_a_city_has_nine_digits(name: str) -> None:
    scale = attempt_scale(load_city(name))
    assert scale == float(f"{scale:.9g}")
