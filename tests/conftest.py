"""How hard the property tests search: little and repeatably in `make test`, long in `make storm`.

In a storm every property test takes part, with many examples and fresh randomness; what it finds
is printed as a blob that reproduces it. Started in the background or under `nohup`, the suite runs
as it does elsewhere: see `hearing.py`.
"""

from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests.hearing import audible

SLOW: Final = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile(
    "test", max_examples=50, stateful_step_count=30, deadline=None, derandomize=True, database=None
)
settings.register_profile(
    "storm",
    max_examples=3_000,
    stateful_step_count=80,
    deadline=None,
    print_blob=True,
    suppress_health_check=SLOW,
)


def _storming(config: pytest.Config) -> bool:
    return bool(config.getoption("markexpr") == "storm")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the profile before any test module is read."""
    settings.load_profile("storm" if _storming(config) else "test")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A storm runs every property test as well."""
    if not _storming(config):
        return
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.storm)


@pytest.fixture(autouse=True)
def _children_hear() -> Iterator[None]:
    """A test may send its children signals that we were told to ignore."""
    with audible():
        yield
