"""Vendor: what the engine has to know of an API, besides its endpoints."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Vendor:
    """An API, with the words for it in sentences.

    Attributes:
        name: What it is called.
        url: Its address.
        account: What a key belongs to.
        max_per_minute: The requests a minute that it allows an account; None if it
            does not say.
        descriptions: Sentences about a status in place of those for every API.
        missing_permission: What to do if the key may not do something; `{scope}` and
            `{action}` stand for what it lacks.
        message_fields: The fields of an error's body that may say what is wrong, the
            best first.
        has_unknown_errors: Whether nobody knows what an error's body looks like: it may
            be a sentence itself, or have it in lists and objects.
        missing_route: How the message begins that there is no such endpoint; None if
            that cannot be told from a row that is missing.
        max_attempts: How often a request is tried that is answered with a status.
        pasted_prefix: What people paste before a key, and is no part of it.
        workspace_header: The header that names the workspace to act for, if the key of
            one may act for others.
    """

    name: str
    url: str
    account: str
    max_per_minute: int | None = None
    descriptions: Mapping[int, str] = field(default_factory=dict)
    missing_permission: str = "give it another key"
    message_fields: tuple[str, ...] = ("message",)
    has_unknown_errors: bool = False
    missing_route: str | None = None
    max_attempts: Mapping[int, int] = field(default_factory=dict)
    pasted_prefix: str = ""
    workspace_header: str = ""

    def clean_key(self, key: str) -> str:
        """Return a key without what was pasted before it."""
        size = len(self.pasted_prefix)
        is_pasted = key[:size].lower() == self.pasted_prefix.lower()
        return key[size:].strip() if size and is_pasted else key

    @property
    def path(self) -> str:
        """What its address ends in."""
        return "/" + self.url.split("/", 3)[-1]


INSTANTLY = Vendor(
    name="Instantly",
    url="https://api.instantly.ai/api/v2",
    account="workspace",
    max_per_minute=6000,
    missing_permission=(
        "the key lacks a scope, or the plan this feature; "
        "give it `{scope}` or `all:{action}` in Instantly's settings"
    ),
    missing_route="Route",
    workspace_header="x-as-workspace",
)
"""https://developer.instantly.ai/getting-started/rate-limit: 100 a second as well.
The header: https://developer.instantly.ai/guides/workspace-group"""
