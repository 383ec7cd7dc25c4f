"""The sandboxes that the tests of families ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_instantly.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A strict sandbox, in which the tests change nothing."""
    with Sandbox(seed=3, labels=5, lists=60, strict=True) as running:
        yield running


@pytest.fixture
def own() -> Iterator[Sandbox]:
    """A sandbox of a test's own, to change."""
    with Sandbox(seed=3, labels=5, lists=10, leads=20, emails=20) as running:
        yield running
