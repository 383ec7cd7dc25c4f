"""Which endpoint answers a path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_instantly.sandbox.store.api import Endpoint

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Routes:
    """Endpoints by method and path."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        """Know `endpoints`; of two that fit, the more specific path wins."""
        self.endpoints = sorted(endpoints, key=lambda one: one.path.count("{"))
        self._patterns = [
            (re.compile(_PLACEHOLDER.sub(r"(?P<\1>[^/]+)", one.path)), one)
            for one in self.endpoints
        ]

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """Return the endpoint of a percent-encoded path, and its placeholders."""
        for pattern, endpoint in self._patterns:
            match = endpoint.method == method and pattern.fullmatch(path)
            if match:
                return endpoint, {
                    name: unquote(value) for name, value in match.groupdict().items()
                }
        return None
