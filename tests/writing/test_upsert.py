"""What is created, updated and left alone, and by what a record finds its row."""

from __future__ import annotations

import typing as t

import pytest

from tests.writing.runs import (
    BLOCKED,
    DELETED,
    KEYS,
    LABELS,
    LISTS,
    STATE,
    STREAMS,
    TAGS,
    label,
    part,
    table,
)

if t.TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox
    from tests.conftest import Json
    from tests.writing.conftest import Write

NEW: dict[str, Json] = {
    LABELS: label("Hot", description="Call today", use_with_ai=True),
    LISTS: {"name": "Autumn", "owned_by": "00000000-0000-4000-8000-000000000000"},
    TAGS: {"label": "EMEA", "description": "All of it"},
    BLOCKED: {"bl_value": "Stop.example.com"},
}
EVERYTHING = [message for stream in STREAMS for message in part(stream, NEW[stream])]


def test_creates(write: Write, empty: Sandbox) -> None:
    """Rows of every stream are created as the records say."""
    result = write(EVERYTHING)
    assert (result.exit_code, result.states) == (0, [STATE])
    assert result.outcomes == ["created"] * 4
    for stream, line in zip(STREAMS, result.report, strict=True):
        (row,) = empty.tables[stream].rows
        assert row.items() >= NEW[stream].items()
        assert line == {
            "stream": stream,
            "key": NEW[stream][KEYS[stream]],
            "id": row["id"],
            "action": "create",
            "outcome": "created",
            "fields": [*NEW[stream]],
            "reason": None,
            "requests": 1,
        }


def test_second_run_writes_nothing(write: Write, empty: Sandbox) -> None:
    """What is there already costs nothing but its reading."""
    write(EVERYTHING)
    empty.writes.clear()
    empty.requests.clear()
    result = write(EVERYTHING)
    assert result.outcomes == ["unchanged"] * 4
    assert {line["requests"] for line in result.report} == {0}
    assert (empty.writes, result.exit_code, result.states) == ([], 0, [STATE])
    assert {request.method for request in empty.requests} == {"GET"}


def test_only_what_differs_is_sent(write: Write, empty: Sandbox) -> None:
    """A PATCH has the fields that differ, and no others."""
    write(EVERYTHING)
    empty.writes.clear()
    result = write(part(LABELS, NEW[LABELS] | {"description": "Call tomorrow"}))
    (sent,) = empty.writes
    assert (sent.method, sent.body) == ("PATCH", {"description": "Call tomorrow"})
    assert result.line("Hot")["fields"] == ["description"]
    assert result.line("Hot")["action"] == "update"
    assert result.outcomes == ["updated"]


@pytest.mark.parametrize(
    ("stream", "spelling"),
    [
        (TAGS, "  EMEA "),
        (BLOCKED, "STOP.EXAMPLE.COM"),
        (BLOCKED, " stop.example.com"),
    ],
)
def test_spellings_of_one_key(
    write: Write, empty: Sandbox, stream: str, spelling: str
) -> None:
    """Tags are the same but for blanks, entries but for case."""
    write(EVERYTHING)
    empty.writes.clear()
    result = write(part(stream, {KEYS[stream]: spelling}))
    assert (result.outcomes, empty.writes) == (["unchanged"], [])
    assert result.report[0]["key"] == spelling


@pytest.mark.parametrize(
    ("stream", "spelling"),
    [(LABELS, "hot"), (LABELS, "Hot "), (LISTS, "autumn"), (TAGS, "emea")],
)
def test_spellings_of_two_keys(
    write: Write, empty: Sandbox, stream: str, spelling: str
) -> None:
    """Labels and lists are the same only if every letter is, tags but for blanks."""
    write(EVERYTHING)
    result = write(part(stream, NEW[stream] | {KEYS[stream]: spelling}))
    assert result.outcomes == ["created"]
    assert len(empty.tables[stream]) == 2


def test_last_of_a_key_wins(write: Write, empty: Sandbox) -> None:
    """The records before are reported as superseded, and not written."""
    result = write(
        part(
            LABELS,
            label("Hot", description="1"),
            label("Cold"),
            label("Hot", description="2"),
        )
        + part(TAGS, {"label": "A "}, {"label": " A"})
    )
    lines = [(line["key"], line["outcome"]) for line in result.report]
    assert sorted(lines) == [
        (" A", "created"),
        ("A ", "superseded"),
        ("Cold", "created"),
        ("Hot", "created"),
        ("Hot", "superseded"),
    ]
    assert result.exit_code == 0
    sent = [request.body["label"] for request in empty.writes]
    assert sent == ["Cold", "Hot", "A"]
    assert empty.writes[1].body["description"] == "2"


def test_order(write: Write, empty: Sandbox) -> None:
    """Labels, lists, tags, entries; creations before deletions; as they came in."""
    write(EVERYTHING)
    empty.writes.clear()
    messages = [
        message
        for stream in reversed(STREAMS)
        for message in part(
            stream,
            {KEYS[stream]: NEW[stream][KEYS[stream]], "_sdc_deleted_at": DELETED},
            NEW[stream] | {KEYS[stream]: "b.example.com"},
            NEW[stream] | {KEYS[stream]: "a.example.com"},
        )
    ]
    result = write(messages, delete="marked", reassigned_status=1)
    assert result.counts == {"created": 8, "deleted": 4}
    paths = [
        (sent.method, sent.path.removeprefix("/api/v2/").split("/")[0])
        for sent in empty.writes
    ]
    singly = ["POST", "POST", "DELETE"]
    assert paths == [
        *((method, "lead-labels") for method in singly),
        *((method, "lead-lists") for method in singly),
        *((method, "custom-tags") for method in singly),
        ("POST", "block-lists-entries"),
        ("POST", "block-lists-entries"),
    ]
    assert empty.writes[0].body["label"] == "b.example.com"
    assert empty.writes[-2].body == {"bl_values": ["b.example.com", "a.example.com"]}


@pytest.mark.parametrize(
    ("mode", "outcomes"),
    [
        ("upsert", ["created", "updated", "unchanged"]),
        ("update", ["skipped", "updated", "unchanged"]),
        ("create", ["created", "skipped", "unchanged"]),
    ],
)
def test_mode(write: Write, empty: Sandbox, mode: str, outcomes: list[str]) -> None:
    """A mode says what may be written; what it leaves out is skipped."""
    empty.labels.add(**label("Old"), description="1")
    empty.labels.add(**label("Same"))
    records = part(LABELS, label("New"), label("Old", description="2"), label("Same"))
    result = write(records, mode=mode)
    keys = ("New", "Old", "Same")
    assert [result.line(key)["outcome"] for key in keys] == outcomes
    assert (result.exit_code, result.states) == (0, [STATE])
    assert len(empty.ledger) == 3 - outcomes.count("skipped") - 1
    assert all(
        line["action"] == "none" and not line["fields"]
        for line in result.report
        if line["outcome"] in ("skipped", "unchanged")
    )


def test_mode_update_asks_for_no_required_fields(write: Write) -> None:
    """What is not to be created need not say all that a new row needs."""
    result = write(part(LABELS, {"label": "New", "description": "x"}), mode="update")
    assert (result.outcomes, result.exit_code) == (["skipped"], 0)


def test_mode_does_not_keep_from_deleting(write: Write, empty: Sandbox) -> None:
    """Deletions do not depend on the mode."""
    for number, mode in enumerate(("update", "create")):
        empty.tables[TAGS].add(label=f"T{number}")
        result = write(
            part(TAGS, {"label": f"T{number}", "_sdc_deleted_at": DELETED}),
            mode=mode,
            delete="marked",
        )
        assert result.outcomes == ["deleted"]


class TestMatchById:
    """`match_by: id`."""

    def test_renames_the_row(self, write: Write, empty: Sandbox) -> None:
        """A row keeps its id, whatever its name becomes."""
        row = empty.labels.add(**label("Old"))
        result = write(part(LABELS, {"id": row["id"], "label": "New"}), match_by="id")
        assert result.outcomes == ["updated"]
        assert result.report[0]["fields"] == ["label"]
        assert empty.labels.get(row["id"])["label"] == "New"

    @pytest.mark.parametrize("mode", ["upsert", "update", "create"])
    def test_makes_nothing_again(self, write: Write, empty: Sandbox, mode: str) -> None:
        """An id that the workspace lacks is rejected."""
        empty.labels.add(**label("Hot"))
        missing = "01980000-0000-7000-8000-000000000000"
        result = write(part(LABELS, label("Hot", id=missing)), match_by="id", mode=mode)
        assert (result.outcomes, result.exit_code) == (["rejected"], 1)
        assert empty.writes == []

    @pytest.mark.parametrize("identity", [None, "", 5, ...])
    def test_needs_an_id(self, write: Write, empty: Sandbox, identity: t.Any) -> None:
        """A record without an id is rejected."""
        values = label("Hot") | ({} if identity is ... else {"id": identity})
        result = write(part(LABELS, values), match_by="id")
        assert (result.outcomes, empty.writes) == (["rejected"], [])

    def test_refuses_names_that_are_taken(self, write: Write, empty: Sandbox) -> None:
        """No row gets the name that another one has, or is about to get."""
        first, second = (empty.labels.add(**label(name)) for name in "AB")
        empty.labels.add(**label("C"))
        result = write(
            part(
                LABELS,
                {"id": first["id"], "label": "D"},
                {"id": second["id"], "label": "D"},
            ),
            match_by="id",
        )
        assert sorted(result.outcomes) == ["rejected", "updated"]
        result = write(part(LABELS, {"id": second["id"], "label": "C"}), match_by="id")
        assert result.outcomes == ["rejected"]

    def test_mirror_goes_by_id(self, write: Write, empty: Sandbox) -> None:
        """What the records do not name by its id is deleted."""
        kept, gone = (empty.tables[TAGS].add(label=name) for name in "AB")
        result = write(
            table(TAGS, {"id": kept["id"], "label": "B2"}),
            match_by="id",
            delete="mirror",
        )
        assert [row["label"] for row in empty.tables[TAGS].rows] == ["B2"]
        assert result.line("B")["id"] == gone["id"]

    def test_entries_keep_their_value(self, write: Write, empty: Sandbox) -> None:
        """An entry cannot get another value."""
        row = empty.tables[BLOCKED].add(bl_value="a.example.com")
        result = write(
            part(BLOCKED, {"id": row["id"], "bl_value": "b.example.com"}), match_by="id"
        )
        assert (result.outcomes, empty.writes) == (["rejected"], [])
