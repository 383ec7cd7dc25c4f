"""How large a workspace is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """How many rows the lists have that others point to."""

    campaigns: int = 12
    accounts: int = 25
    leads: int = 400
    emails: int = 900
    tags: int = 6
    subsequences: int = 5
