"""How a list is read: what the real API does, and what it might do."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

Order = Literal["newest", "oldest", "mixed"]
Cursor = Literal["timestamp", "id"]
Comparison = Literal["strict", "inclusive"]
End = Literal["present", "absent", "null", "empty"]
Encoding = Literal["z", "offset", "symbols"]
Timestamps = Literal["ms", "mixed"]
DuplicateEntries = Literal["kept", "invalid", "existing"]
UnknownId = Literal["compare", "not-found", "bad-request", "empty", "first-page"]

TableOrder = Literal["newest", "oldest", "id-desc", "id-asc"]
TableCursor = Literal[
    "id", "timestamp", "timestamp-and-id", "id-and-timestamp", "opaque"
]

CHOICES: dict[str, tuple[str, ...]] = {
    "order": get_args(Order),
    "cursor": get_args(Cursor),
    "comparison": get_args(Comparison),
    "end": get_args(End),
    "encoding": get_args(Encoding),
    "timestamps": get_args(Timestamps),
    "unknown_id": get_args(UnknownId),
}
"""The values of each switch; a table of its own accord may do more."""

_KNOWN = CHOICES | {
    "order": (*CHOICES["order"], *get_args(TableOrder)),
    "cursor": get_args(TableCursor),
}


@dataclass(eq=False)
class Behaviour:
    """How one list is read; every attribute may change between two requests."""

    order: TableOrder | Order = "newest"
    """By time of creation and then key, by key alone, or `mixed`: by a hash that has
    nothing to do with either."""
    cursor: TableCursor = "timestamp"
    """What the cursor names of a page's last row: its time, its key, both with `&` or
    `:` between them, or both in base64."""
    comparison: Comparison = "strict"
    """Whether rows at the cursor itself come again (`inclusive`) or not."""
    end: End = "present"
    """What the last page with rows carries for a cursor."""
    encoding: Encoding = "z"
    """How a cursor is written: a time with Z or with +00:00; `symbols` appends
    characters to any cursor that do not survive without percent-encoding."""
    timestamps: Timestamps = "ms"
    """How rows write their time of creation: always alike, or in four ways by turns."""
    unknown_id: UnknownId = "compare"
    """What answers a cursor that is an id, but that of no row, where the list is by id:
    the rows after it, because cursors are compared; or, because the row is looked up,
    404, 400, an empty page or the first page."""
    short_pages: int | None = None
    """Pages of 1 to `limit` rows; the number selects which random sizes."""

    def __post_init__(self) -> None:
        """Refuse a value that no list knows."""
        for name, known in _KNOWN.items():
            value = getattr(self, name)
            if value not in known:
                message = f"{name} is one of {', '.join(known)}, not {value!r}."
                raise ValueError(message)


@dataclass(eq=False)
class Switches:
    """What differs from what is documented; may change between two requests.

    The switches of a list hold for all lists at once; None leaves each list to its own
    behaviour. A table reads them whenever it answers, so setting one does nothing else.
    """

    order: Order | None = None
    cursor: Cursor | None = None
    comparison: Comparison | None = None
    end: End | None = None
    encoding: Encoding | None = None
    timestamps: Timestamps | None = None
    unknown_id: UnknownId | None = None
    short_pages: int | None = None
    ends_inclusive: bool = True
    """Whether the day of an `end_date` without a time belongs to the window."""
    bounds_inclusive: bool = True
    """Whether e-mails exactly at a bound of `timestamp_created` are given."""
    lists_agents_campaigns: bool = False
    """Whether the list of campaigns has those of AI sales agents among the others."""
    most_days: int = 31
    """The most days of a campaign that one answer holds; more are refused (400)."""
    largest_answer: int = 1_000_000
    """The most days of mailboxes that one answer holds before it is refused (413)."""
    duplicate_names: bool = True
    """Whether two labels, or two lists, may have the same name; if not: 400."""
    duplicate_entries: DuplicateEntries = "existing"
    """What becomes of a value that is on the block list already, in any case of its
    letters: it is added again (`kept`), counted as `invalid`, or counted as valid and
    answered with the `existing` entry."""
    trimmed_tags: bool = True
    """Whether the labels of tags are stored without blanks around them."""
    renumber_labels: bool = False
    """Whether another `interest_status_label` gives a label a new number."""
    reassignment_required: bool = False
    """Whether deleting a label without `reassigned_status` fails (500)."""
    empty_patches: bool = False
    """Whether a PATCH of no field changes nothing; if not, it is refused (400)."""
    hidden_reads: int = 0
    """How many times a list is read from its start before it has a row that a client
    has created; the row can be read by its id at once."""
    hidden_seconds: float = 0.0
    """How many seconds, by `clock`, a list hides a row that a client has created."""
    omits_nulls: bool = True
    """Whether answers leave out the writable fields that are null."""
    clock: Callable[[], float] = time.monotonic
    """Seconds, by which the rate limits and `hidden_seconds` are counted."""

    def applied_to(self, behaviour: Behaviour) -> Behaviour:
        """Return a list's own behaviour with what is switched on for all lists.

        Raises:
            ValueError: If a switch has a value that no list knows.
        """
        values = {name: getattr(self, name) for name in _NAMES}
        switched = {name: value for name, value in values.items() if value is not None}
        return replace(behaviour, **switched)


_NAMES = [field.name for field in fields(Behaviour)]
