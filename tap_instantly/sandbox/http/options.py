"""What a sandbox can be made with."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_instantly.sandbox.http.requests import Request
    from tap_instantly.sandbox.store.switches import (
        Comparison,
        Cursor,
        DuplicateEntries,
        Encoding,
        End,
        Order,
        Timestamps,
        UnknownId,
    )


class Options(TypedDict, total=False):
    """The sizes of a sandbox, and its attributes that the constructor takes as well."""

    labels: int
    lists: int
    campaigns: int
    accounts: int
    leads: int
    emails: int
    tags: int
    subsequences: int
    blocked: int
    workspaces: int
    order: Order | None
    cursor: Cursor | None
    comparison: Comparison | None
    end: End | None
    encoding: Encoding | None
    timestamps: Timestamps | None
    unknown_id: UnknownId | None
    short_pages: int | None
    ends_inclusive: bool
    bounds_inclusive: bool
    lists_agents_campaigns: bool
    most_days: int
    largest_answer: int
    duplicate_names: bool
    duplicate_entries: DuplicateEntries
    trimmed_tags: bool
    renumber_labels: bool
    reassignment_required: bool
    empty_patches: bool
    hidden_reads: int
    hidden_seconds: float
    omits_nulls: bool
    strict: bool
    latency: float
    requests_per_second: int | None
    requests_per_minute: int | None
    emails_per_minute: int | None
    retry_after: str | None
    on_request: Callable[[Request], object] | None
    clock: Callable[[], float]
