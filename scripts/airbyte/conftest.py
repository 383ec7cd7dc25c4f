"""The option of these tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command be named."""
    parser.addoption("--source", default="source-instantly")
