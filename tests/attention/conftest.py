"""What the tests of Attention share."""

from __future__ import annotations

import typing as t

import pytest

from tap_instantly.attention.sandbox import Sandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Return an organization with some labels."""
    with Sandbox(labels=12) as sandbox:
        yield sandbox
