"""The sandbox to which its tests send requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_instantly.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with a few pages of labels and some lists."""
    with Sandbox(seed=1, labels=250, lists=37) as running:
        yield running
