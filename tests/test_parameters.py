"""Numbers with their source: agreed values, and none undocumented."""

import dataclasses
import inspect
from pathlib import Path

from tracetogether import parameters

PAGE = (Path(__file__).parent.parent / "docs" / "reference" / "parameters.md").read_text("utf-8")


def test_every_parameter_is_documented() -> None:
    for name, value in vars(parameters).items():
        if inspect.isclass(value) and value.__module__ == parameters.__name__:
            assert name in PAGE
            for field in dataclasses.fields(value):
                assert f"`{field.name}`" in PAGE or field.name == "name", f"{name}.{field.name}"
        elif name.isupper() and not name.startswith(("SECONDS", "_")):
            assert name in PAGE or name in {"BLUETRACE", "TIMINGS", "RETENTION"}, name


def test_the_numbers_are_those_of_the_reference_phone() -> None:
    timings = parameters.TIMINGS
    assert (timings.scan_s, timings.scan_pause_min_s, timings.scan_pause_max_s) == (8, 36, 43)
    assert parameters.RETENTION.log_s * 1_000 == 1_814_400_000  # PURGE_TTL in milliseconds
    assert parameters.BLUETRACE.batch_size * parameters.BLUETRACE.validity_s == 25 * 3_600
    assert parameters.SINGAPORE_POLICY.minutes == 30
