"""What all benchmarks ask."""

import pytest


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Say whether times are judged and sizes are whole: with --benchmark-enable alone."""
    return bool(request.config.getoption("--benchmark-enable"))
