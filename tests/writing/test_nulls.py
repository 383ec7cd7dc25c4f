"""Absent, null, "" and a value, in the record and in Instantly, with both `nulls`."""

from __future__ import annotations

import typing as t

import pytest

from tests.writing.runs import LABELS, label, part

if t.TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox
    from tests.writing.conftest import Write

ABSENT: t.Any = ...


def expected(wanted: t.Any, held: t.Any, nulls: str, *, takes_text: bool) -> str:
    """Return the outcome that a record must have."""
    if wanted is ABSENT or (wanted is None and nulls == "keep"):
        return "unchanged"
    if wanted == "" and not takes_text:
        return "rejected"
    there = None if held is ABSENT else held
    return "unchanged" if wanted == there else "updated"


@pytest.mark.parametrize("omits_nulls", [True, False])
@pytest.mark.parametrize("nulls", ["keep", "clear"])
@pytest.mark.parametrize("held", [ABSENT, None, "", "x"])
@pytest.mark.parametrize("wanted", [ABSENT, None, "", "x", "y"])
def test_nullable_text(
    write: Write,
    empty: Sandbox,
    wanted: t.Any,
    held: t.Any,
    nulls: str,
    *,
    omits_nulls: bool,
) -> None:
    """A text that may be null."""
    empty.omits_nulls = omits_nulls
    check(write, empty, "description", wanted, held, nulls)


@pytest.mark.parametrize("nulls", ["keep", "clear"])
@pytest.mark.parametrize("held", [ABSENT, None, False, True])
@pytest.mark.parametrize("wanted", [ABSENT, None, "", False, True])
def test_nullable_boolean(
    write: Write, empty: Sandbox, wanted: t.Any, held: t.Any, nulls: str
) -> None:
    """A boolean that may be null; a text is none."""
    check(write, empty, "use_with_ai", wanted, held, nulls)


def check(
    write: Write, empty: Sandbox, field: str, wanted: t.Any, held: t.Any, nulls: str
) -> None:
    """Compare what becomes of a field with what must."""
    row = empty.labels.add(**{**label("Hot"), "description": ..., "use_with_ai": ...})
    if held is not ABSENT:
        empty.labels.edit(row["id"], **{field: held})
    values = {} if wanted is ABSENT else {field: wanted}
    result = write(part(LABELS, label("Hot", **values)), nulls=nulls)
    takes_text = field == "description"
    outcome = expected(wanted, held, nulls, takes_text=takes_text)
    assert result.outcomes == [outcome]
    assert result.exit_code == (outcome == "rejected")
    sent = [request.body for request in empty.writes]
    assert sent == ([{field: wanted}] if outcome == "updated" else [])
    left = empty.labels.get(row["id"]).get(field)
    before = None if held is ABSENT else held
    assert left == (wanted if outcome == "updated" else before)
    empty.writes.clear()
    again = write(part(LABELS, label("Hot", **values)), nulls=nulls)
    assert again.outcomes == ["unchanged" if outcome == "updated" else outcome]
    assert empty.writes == []


@pytest.mark.parametrize("nulls", ["keep", "clear"])
@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("wanted", [ABSENT, None, "", " ", "positive", "negative"])
def test_field_that_takes_no_null(
    write: Write, empty: Sandbox, wanted: t.Any, nulls: str, *, is_there: bool
) -> None:
    """A new row needs it; of one that is there it cannot be cleared."""
    if is_there:
        empty.labels.add(**label("Hot"))
    values = {} if wanted is ABSENT else {"interest_status_label": wanted}
    result = write(part(LABELS, {"label": "Hot", **values}), nulls=nulls)
    is_kept = wanted is ABSENT or (wanted is None and nulls == "keep")
    if wanted in ("positive", "negative"):
        outcome = "updated" if wanted == "negative" else "unchanged"
    else:
        outcome = "unchanged" if is_kept else "rejected"
    if not is_there and outcome in ("updated", "unchanged"):
        outcome = "rejected" if is_kept else "created"
    assert result.outcomes == [outcome]
    assert len(empty.ledger) == (outcome in ("created", "updated"))


@pytest.mark.parametrize("nulls", ["keep", "clear"])
def test_null_of_a_new_row(write: Write, empty: Sandbox, nulls: str) -> None:
    """A new row has no more than its record says."""
    result = write(part(LABELS, label("Hot", description=None)), nulls=nulls)
    assert result.outcomes == ["created"]
    assert "description" not in empty.labels.rows[0]
    again = write(part(LABELS, label("Hot", description=None)), nulls=nulls)
    assert again.outcomes == ["unchanged"]


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("FALSE", False), ("True", True)]
)
def test_booleans_in_words(
    write: Write, empty: Sandbox, text: str, *, value: bool
) -> None:
    """A source of text alone, such as CSV, writes booleans in words."""
    write(part(LABELS, label("Hot", use_with_ai=text)))
    assert empty.writes[0].body["use_with_ai"] is value
    assert write(part(LABELS, label("Hot", use_with_ai=text))).outcomes == ["unchanged"]


@pytest.mark.parametrize("text", ["yes", "1", "0", "truth", 1, 0, 1.0, [], {}])
def test_other_words_are_none(write: Write, text: t.Any) -> None:
    """Nothing is taken for a boolean that is none."""
    assert write(part(LABELS, label("Hot", use_with_ai=text))).outcomes == ["rejected"]
