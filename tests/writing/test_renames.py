"""`renames`: how the record with the new name finds its row, and nothing else."""

from __future__ import annotations

import typing as t

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tests.writing.runs import BLOCKED, KEYS, LABELS, LISTS, TAGS, label, part, table

if t.TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox
    from tests.writing.conftest import Write

RENAMES = {LABELS: {"Old": "New"}}


@pytest.mark.parametrize("stream", [LABELS, LISTS, TAGS])
def test_is_a_patch(write: Write, empty: Sandbox, stream: str) -> None:
    """The row with the old name gets the new one, and what else has changed."""
    name = KEYS[stream]
    fields = label("") if stream == LABELS else {}
    row = empty.tables[stream].add(**fields | {name: "Old"}, description=...)
    record = fields | {name: "New", "description": "x"}
    if stream == LISTS:
        del record["description"]
    result = write(part(stream, record), renames={stream: {"Old": "New"}})
    assert result.outcomes == ["updated"]
    assert result.report[0]["id"] == row["id"]
    (sent,) = empty.writes
    assert sent.method == "PATCH"
    assert sent.body == {
        k: v for k, v in record.items() if k not in fields or k == name
    }
    assert empty.tables[stream].get(row["id"])[name] == "New"
    again = write(part(stream, record), renames={stream: {"Old": "New"}})
    assert (again.outcomes, len(empty.writes)) == (["unchanged"], 1)


def test_blanks_around_names_of_tags(write: Write, empty: Sandbox) -> None:
    """Names in the setting are compared as those of records are."""
    row = empty.tables[TAGS].add(label="Old")
    result = write(part(TAGS, {"label": "New"}), renames={TAGS: {" Old ": "New "}})
    assert result.outcomes == ["updated"]
    assert empty.tables[TAGS].get(row["id"])["label"] == "New"


@pytest.mark.parametrize("delete", ["never", "mirror"])
def test_without_a_record_nothing_happens(
    write: Write, empty: Sandbox, delete: str
) -> None:
    """A rename is no wish of its own; without it the row counts as any other."""
    empty.labels.add(**label("Old"))
    result = write(
        table(LABELS, label("Other")),
        renames=RENAMES,
        delete=delete,
        reassigned_status=1,
    )
    expected = ["created"] + ["deleted"] * (delete == "mirror")
    assert result.outcomes == expected


def test_without_the_row_it_is_created(write: Write, empty: Sandbox) -> None:
    """A rename of what is not there leaves a new row."""
    result = write(part(LABELS, label("New")), renames=RENAMES)
    assert (result.outcomes, len(empty.labels)) == (["created"], 1)


def test_both_names_in_instantly(write: Write, empty: Sandbox) -> None:
    """Such a record is rejected, and names both rows."""
    rows = [empty.labels.add(**label(name)) for name in ("Old", "New")]
    result = write(
        table(LABELS, label("New", description="x")),
        renames=RENAMES,
        delete="mirror",
        reassigned_status=1,
    )
    assert (result.outcomes, result.exit_code, empty.writes) == (["rejected"], 1, [])
    assert all(row["id"] in result.report[0]["reason"] for row in rows)


@pytest.mark.parametrize("held", [(), ("Old",), ("New",), ("Old", "New")])
def test_both_names_in_the_input(
    write: Write, empty: Sandbox, held: tuple[str, ...]
) -> None:
    """The record with the new name is rejected, whatever Instantly has."""
    for name in held:
        empty.labels.add(**label(name))
    result = write(part(LABELS, label("Old"), label("New")), renames=RENAMES)
    assert result.line("New")["outcome"] == "rejected"
    assert result.line("Old")["outcome"] == (
        "unchanged" if "Old" in held else "created"
    )
    assert result.exit_code == 1


def test_two_rows_with_the_old_name(write: Write, empty: Sandbox) -> None:
    """Nobody knows which of them is meant."""
    rows = [empty.labels.add(**label("Old")) for _ in range(2)]
    result = write(part(LABELS, label("New")), renames=RENAMES)
    assert (result.outcomes, empty.writes) == (["rejected"], [])
    assert all(row["id"] in result.report[0]["reason"] for row in rows)


def test_to_the_same_name(write: Write, empty: Sandbox) -> None:
    """That is no rename."""
    empty.labels.add(**label("New"))
    result = write(part(LABELS, label("New")), renames={LABELS: {"New": "New"}})
    assert result.outcomes == ["unchanged"]


def test_mirror_keeps_the_renamed_row(write: Write, empty: Sandbox) -> None:
    """The row with the old name is wanted, under its new name."""
    row = empty.labels.add(**label("Old"))
    empty.labels.add(**label("Other"))
    result = write(
        table(LABELS, label("New")),
        renames=RENAMES,
        delete="mirror",
        reassigned_status=1,
    )
    assert result.outcomes == ["updated", "deleted"]
    assert [each["id"] for each in empty.labels.rows] == [row["id"]]


def test_mode_create_leaves_it_out(write: Write, empty: Sandbox) -> None:
    """A rename changes a row that is there."""
    empty.labels.add(**label("Old"))
    result = write(part(LABELS, label("New")), renames=RENAMES, mode="create")
    assert (result.outcomes, empty.writes) == (["skipped"], [])


@pytest.mark.parametrize("stream", [BLOCKED, "leads"])
def test_of_what_has_no_name_to_change(write: Write, stream: str) -> None:
    """Only labels, lists and tags are renamed."""
    with pytest.raises(ConfigValidationError) as caught:
        write([], renames={stream: {"a": "b"}})
    (sentence,) = caught.value.errors
    assert stream in sentence
    assert LABELS in sentence
