"""`dry_run`: the plan of the run that follows, and nothing else."""

from __future__ import annotations

import typing as t

import pytest

from tests.writing.runs import (
    BLOCKED,
    DELETED,
    KEYS,
    LABELS,
    LISTS,
    STREAMS,
    TAGS,
    label,
    part,
    table,
)

if t.TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox
    from tests.writing.conftest import Write

SETTINGS: t.Any = {
    "delete": "mirror",
    "reassigned_status": 7,
    "renames": {LABELS: {"Old": "New"}},
    "on_reject": "skip",
    "max_change_percent": 100,
}

WANTED = (
    table(
        LABELS,
        label("Same"),
        label("New", "negative"),
        label("Fresh", description="Confidential"),
        label("Bad", "lukewarm"),
        label("Gone", _sdc_deleted_at=DELETED),
    )
    + table(LISTS, {"name": "B"}, {"name": "A"})
    + table(TAGS, {"label": "T", "description": "Confidential"})
    + table(BLOCKED, {"bl_value": "x.example.com"}, {"bl_value": "new.example.com"})
)


@pytest.fixture
def filled(empty: Sandbox) -> Sandbox:
    """Return an API that holds something of each stream."""
    for name in ("Same", "Old", "Gone", "Extra"):
        empty.labels.add(**label(name), description=...)
    empty.lists.add(name="A")
    empty.tables[TAGS].add(label="T", description=...)
    for name in ("x.example.com", "old.example.com"):
        empty.tables[BLOCKED].add(bl_value=name)
    return empty


def test_equals_the_run_that_follows(write: Write, filled: Sandbox) -> None:
    """What it announces, record for record, is what the ledger has afterwards."""
    plan = write(WANTED, dry_run=True, **SETTINGS)
    assert filled.writes == []
    done = write(WANTED, **SETTINGS)
    planned = [line for line in plan.report if line["outcome"] == "planned"]
    assert {line["action"] for line in planned} == {"create", "update", "delete"}
    actions = {"create": "created", "update": "updated", "delete": "deleted"}
    expected = {
        (line["stream"], line["key"], line["id"], line["action"], *line["fields"]): line
        for line in planned
    }
    changed = {
        (
            line["stream"],
            line["key"],
            None if line["action"] == "create" else line["id"],
            line["action"],
            *line["fields"],
        ): line
        for line in done.report
        if line["outcome"] in actions.values()
    }
    assert expected.keys() == changed.keys()
    others = [line for line in plan.report if line["outcome"] != "planned"]
    assert others == [
        line for line in done.report if line["outcome"] not in actions.values()
    ]
    ledger = set()
    for entry in filled.ledger:
        key = KEYS[entry.table]
        for before, after in zip(entry.before, entry.after, strict=True):
            row = after or before
            assert row
            action = "update" if before and after else "create" if after else "delete"
            ledger.add((entry.table, row[key], action))
    assert ledger == {(line["stream"], line["key"], line["action"]) for line in planned}
    sent = [entry.body for entry in filled.ledger if entry.method == "PATCH"]
    fields = [line["fields"] for line in planned if line["action"] == "update"]
    assert [[*body] for body in sent] == fields


def test_plan_is_on_stderr(write: Write, filled: Sandbox) -> None:
    """With natural keys and names of fields, and without values."""
    result = write(WANTED, dry_run=True, **SETTINGS)
    assert result.states == []
    assert result.stderr.splitlines() == [
        "lead_labels: 4 rows; 1 to create, 1 to update, 2 to delete, 1 rejected",
        '  ~ "Old" -> "New": label, interest_status_label',
        '  + "Fresh": label, interest_status_label, description',
        '  - "Gone"',
        '  - "Extra"',
        '  ! "Bad": `interest_status_label` must be positive, negative or neutral',
        "lead_lists: 1 rows; 1 to create, 0 to update, 0 to delete, 0 rejected",
        '  + "B": name',
        "custom_tags: 1 rows; 0 to create, 1 to update, 0 to delete, 0 rejected",
        '  ~ "T": description',
        "block_list_entries: 2 rows; 1 to create, 0 to update, 1 to delete, 0 rejected",
        '  + "new.example.com": bl_value',
        '  - "old.example.com"',
    ]
    assert "Confidential" not in result.stderr + result.log
    assert filled.writes == []


@pytest.mark.parametrize(
    ("settings", "exit_code"),
    [
        ({}, 1),
        ({"on_reject": "skip"}, 0),
        ({"on_reject": "fail_fast"}, 1),
        ({"on_reject": "skip", "max_change_percent": 0}, 1),
    ],
)
def test_exit_code(
    write: Write, empty: Sandbox, settings: t.Any, exit_code: int
) -> None:
    """It is 1 where the run would stop or reject, and the plan is printed anyway."""
    for number in range(10):
        empty.tables[TAGS].add(label=f"T{number}", description=...)
    messages = part(TAGS, {"label": "T1", "description": "x"}, {"label": 5})
    result = write(messages, dry_run=True, **settings)
    assert (result.exit_code, result.states, empty.writes) == (exit_code, [], [])
    assert '~ "T1": description' in result.stderr
    assert "! 5: " in result.stderr
    assert result.line("T1")["outcome"] == "planned"
    assert write(messages, **settings).exit_code == exit_code


def test_without_anything_to_do(write: Write) -> None:
    """A plan may be empty; no state is passed all the same."""
    result = write(part(TAGS), dry_run=True)
    assert (result.exit_code, result.states, result.report) == (0, [], [])


def test_passes_no_state_of_an_unreadable_list(write: Write, empty: Sandbox) -> None:
    """A list that cannot be read would stop the run, too."""
    empty.fail("/custom-tags", 403, method="GET")
    result = write(part(TAGS, {"label": "A"}), dry_run=True)
    assert (result.exit_code, result.states) == (1, [])
    assert result.outcomes == ["not attempted"]


def test_reports_no_values(write: Write, filled: Sandbox) -> None:
    """Unless they are asked for."""
    del filled
    result = write(WANTED, dry_run=True, **SETTINGS)
    assert "Confidential" not in str(result.report)
    result = write(WANTED, dry_run=True, report_values=True, **SETTINGS)
    assert result.line("T")["fields"] == {
        "description": {"from": None, "to": "Confidential"}
    }


@pytest.mark.parametrize("stream", STREAMS)
def test_names_that_are_hard_to_print(
    write: Write, empty: Sandbox, stream: str
) -> None:
    """A name with a line break or a quotation mark stays in its line."""
    name = 'A "quoted"\nname\u2028'
    fields = label(name) if stream == LABELS else {KEYS[stream]: name}
    result = write(part(stream, fields), dry_run=True)
    assert len(result.stderr.splitlines()) == 2
    del empty
