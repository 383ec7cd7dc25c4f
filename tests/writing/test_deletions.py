"""Nothing is deleted unless it is asked for: `delete`, and all that it asks."""

from __future__ import annotations

import typing as t

import pytest
from singer_sdk.exceptions import ConfigurationError

from tests.writing.runs import (
    BLOCKED,
    DELETED,
    KEYS,
    LABELS,
    LISTS,
    STATE,
    STREAMS,
    TAGS,
    activate,
    label,
    part,
    record,
    schema,
    table,
)

if t.TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox
    from tests.conftest import Json
    from tests.writing.conftest import Write

MARKED = {"label": "Gone", "_sdc_deleted_at": DELETED}
NAMES = ("a.example.com", "b.example.com", "c.example.com")


def fill(sandbox: Sandbox, *streams: str) -> None:
    """Add three rows to lists."""
    for stream in streams:
        for name in NAMES:
            sandbox.tables[stream].add(**named(stream, name))


def named(stream: str, name: str, **values: t.Any) -> Json:
    """Return a row with a name."""
    fields = label("") if stream == LABELS else {}
    return {**fields, KEYS[stream]: name, **values}


def names(sandbox: Sandbox, stream: str) -> set[str]:
    """Return the names that are left."""
    return {row[KEYS[stream]] for row in sandbox.tables[stream].rows}


class TestNever:
    """`delete: never`."""

    def test_by_default(self, write: Write, empty: Sandbox) -> None:
        """A complete table deletes nothing, nor does a mark."""
        fill(empty, *STREAMS)
        messages = [
            message
            for stream in STREAMS
            for message in table(
                stream, named(stream, NAMES[0], _sdc_deleted_at=DELETED)
            )
        ]
        result = write(messages)
        assert result.counts == {"skipped": 4}
        assert (result.exit_code, result.states) == (0, [STATE])
        assert empty.writes == []

    def test_creates_nothing_from_a_mark(self, write: Write, empty: Sandbox) -> None:
        """Whether or not there is a row."""
        result = write(part(TAGS, MARKED))
        assert (result.outcomes, empty.writes) == (["skipped"], [])


class TestMarked:
    """`delete: marked`."""

    @pytest.mark.parametrize("stream", STREAMS)
    def test_deletes_what_is_marked(
        self, write: Write, empty: Sandbox, stream: str
    ) -> None:
        """It deletes the row of a marked record, and no other."""
        fill(empty, stream)
        values = {KEYS[stream]: NAMES[1], "_sdc_deleted_at": DELETED}
        result = write(table(stream, values), delete="marked", reassigned_status=7)
        assert result.outcomes == ["deleted"]
        assert result.report[0]["action"] == "delete"
        assert names(empty, stream) == {NAMES[0], NAMES[2]}
        again = write(table(stream, values), delete="marked", reassigned_status=7)
        assert (again.outcomes, again.exit_code) == (["unchanged"], 0)
        assert len(empty.writes) == 1

    def test_of_null_is_no_mark(self, write: Write, empty: Sandbox) -> None:
        """A null in `_sdc_deleted_at` says that the record is there."""
        result = write(
            part(TAGS, {"label": "Here", "_sdc_deleted_at": None}), delete="marked"
        )
        assert result.outcomes == ["created"]

    def test_last_record_decides(self, write: Write, empty: Sandbox) -> None:
        """A record that comes back after its mark is not deleted, and vice versa."""
        fill(empty, TAGS)
        here, gone = NAMES[:2]
        result = write(
            part(
                TAGS,
                {"label": here, "_sdc_deleted_at": DELETED},
                {"label": gone},
                {"label": here},
                {"label": gone, "_sdc_deleted_at": DELETED},
            ),
            delete="marked",
        )
        assert result.counts == {"superseded": 2, "unchanged": 1, "deleted": 1}
        assert names(empty, TAGS) == {here, NAMES[2]}

    def test_by_id(self, write: Write, empty: Sandbox) -> None:
        """By `id`, too, a mark whose row is gone is no reject."""
        fill(empty, TAGS)
        row = empty.tables[TAGS].rows[0]
        values = {"id": row["id"], "_sdc_deleted_at": DELETED}
        for outcome in ("deleted", "unchanged"):
            result = write(part(TAGS, values), delete="marked", match_by="id")
            assert result.outcomes == [outcome]

    def test_of_two_rows_with_a_name(self, write: Write, empty: Sandbox) -> None:
        """Nobody knows which of them is meant."""
        rows = [empty.tables[LISTS].add(name="Gone") for _ in range(2)]
        result = write(
            part(LISTS, {"name": "Gone", "_sdc_deleted_at": DELETED}), delete="marked"
        )
        assert (result.outcomes, empty.writes) == (["rejected"], [])
        assert all(row["id"] in result.report[0]["reason"] for row in rows)


class TestMirror:
    """`delete: mirror`."""

    @pytest.mark.parametrize("stream", STREAMS)
    def test_deletes_what_a_table_does_not_have(
        self, write: Write, empty: Sandbox, stream: str
    ) -> None:
        """Each row that no record names has a line of its own."""
        fill(empty, *STREAMS)
        result = write(
            table(stream, named(stream, NAMES[1])), delete="mirror", reassigned_status=7
        )
        assert names(empty, stream) == {NAMES[1]}
        assert [line["outcome"] for line in result.report] == [
            "unchanged",
            "deleted",
            "deleted",
        ]
        assert {line["key"] for line in result.report} == {*NAMES}
        for other in STREAMS:
            if other != stream:
                assert names(empty, other) == {*NAMES}

    @pytest.mark.parametrize(
        "messages",
        [
            pytest.param([], id="nothing"),
            pytest.param([schema(TAGS)], id="schema"),
            pytest.param([schema(TAGS), activate(TAGS)], id="no records"),
            pytest.param(part(TAGS, {"label": NAMES[0]}), id="cut"),
            pytest.param(
                [schema(TAGS), activate(TAGS), record(TAGS, label=NAMES[0])],
                id="activated first",
            ),
            pytest.param(
                [*table(TAGS, {"label": NAMES[0]}), record(TAGS, label=NAMES[1])],
                id="record afterwards",
            ),
            pytest.param(
                [
                    *table(TAGS, {"label": NAMES[0]}),
                    schema(TAGS, "label"),
                    record(TAGS, label=NAMES[1]),
                ],
                id="another schema",
            ),
            pytest.param(
                [*table(LISTS, {"name": NAMES[0]}), *part(TAGS, {"label": NAMES[0]})],
                id="another stream",
            ),
        ],
    )
    def test_of_an_incomplete_table(
        self, write: Write, empty: Sandbox, messages: list[Json]
    ) -> None:
        """Nothing is deleted from an empty input, or one that may be cut."""
        fill(empty, TAGS)
        result = write(messages, delete="mirror")
        assert result.exit_code == 0
        assert names(empty, TAGS) == {*NAMES}
        assert [sent.method for sent in empty.writes if sent.method == "DELETE"] == []

    @pytest.mark.parametrize("key", [None, "", " ", 5, ...])
    def test_with_a_record_without_key(
        self, write: Write, empty: Sandbox, key: t.Any
    ) -> None:
        """It might be about any row, so none is deleted, not even a marked one."""
        fill(empty, TAGS, LISTS)
        values = {} if key is ... else {"label": key}
        result = write(
            table(TAGS, {"label": NAMES[0], "_sdc_deleted_at": DELETED}, values)
            + table(LISTS, {"name": NAMES[0]}),
            delete="mirror",
        )
        assert names(empty, TAGS) == {*NAMES}
        assert names(empty, LISTS) == {NAMES[0]}
        assert result.counts["rejected"] == 1
        assert result.exit_code == 1

    def test_with_a_rejected_record(self, write: Write, empty: Sandbox) -> None:
        """Its row still counts as wanted."""
        fill(empty, LABELS)
        result = write(
            table(LABELS, label(NAMES[0], "lukewarm"), label(NAMES[1], description=5)),
            delete="mirror",
            reassigned_status=7,
        )
        assert result.counts == {"rejected": 2, "deleted": 1}
        assert names(empty, LABELS) == {*NAMES[:2]}

    def test_with_two_rows_of_a_name(self, write: Write, empty: Sandbox) -> None:
        """Both count as wanted, and the record names both ids."""
        fill(empty, LISTS)
        twin = empty.tables[LISTS].add(name=NAMES[0])
        result = write(table(LISTS, {"name": NAMES[0]}), delete="mirror")
        assert result.counts == {"rejected": 1, "deleted": 2}
        assert twin["id"] in result.line(NAMES[0])["reason"]
        assert len(empty.tables[LISTS]) == 2

    def test_deletes_two_rows_of_a_name_that_nobody_wants(
        self, write: Write, empty: Sandbox
    ) -> None:
        """Of those there is no doubt."""
        fill(empty, LISTS)
        empty.tables[LISTS].add(name=NAMES[0])
        result = write(table(LISTS, {"name": NAMES[1]}), delete="mirror")
        assert result.counts == {"unchanged": 1, "deleted": 3}

    @pytest.mark.parametrize("mode", ["update", "create"])
    def test_with_skipped_records(
        self, write: Write, empty: Sandbox, mode: str
    ) -> None:
        """Their rows are wanted, whatever the mode."""
        fill(empty, TAGS)
        result = write(
            table(TAGS, {"label": NAMES[0], "description": "x"}, {"label": "New"}),
            delete="mirror",
            mode=mode,
        )
        assert {NAMES[0]} <= names(empty, TAGS) <= {NAMES[0], "New"}
        assert result.counts["deleted"] == 2

    def test_with_marked_records(self, write: Write, empty: Sandbox) -> None:
        """A marked record is not what the table has."""
        fill(empty, TAGS)
        result = write(
            table(
                TAGS, {"label": NAMES[0], "_sdc_deleted_at": DELETED}, {"label": "x"}
            ),
            delete="mirror",
        )
        assert names(empty, TAGS) == {"x"}
        assert result.counts == {"created": 1, "deleted": 3}
        assert result.line(NAMES[0])["outcome"] == "deleted"

    def test_of_the_last_table(self, write: Write, empty: Sandbox) -> None:
        """A table that comes again after a cut one is complete."""
        fill(empty, TAGS)
        messages = [*part(TAGS, {"label": NAMES[0]}), *table(TAGS, {"label": NAMES[1]})]
        write(messages, delete="mirror")
        assert names(empty, TAGS) == {*NAMES[:2]}


class TestReassignedStatus:
    """`reassigned_status`."""

    @pytest.mark.parametrize("delete", ["marked", "mirror"])
    def test_is_required(self, write: Write, empty: Sandbox, delete: str) -> None:
        """As soon as labels may be deleted, and before anything is read."""
        with pytest.raises(ConfigurationError, match="reassigned_status"):
            write(part(LABELS), delete=delete)
        assert empty.requests == []

    def test_is_not_required_of_others(self, write: Write) -> None:
        """Leads point to labels alone."""
        messages = [*part(LISTS), *part(TAGS), *part(BLOCKED)]
        assert write(messages, delete="mirror").exit_code == 0
        assert write(part(LABELS)).exit_code == 0

    def test_is_sent(self, write: Write, empty: Sandbox) -> None:
        """The deletion of a label says where its leads go; others have no body."""
        empty.reassignment_required = True
        empty.labels.add(**label("Gone"))
        empty.tables[TAGS].add(label="Gone")
        write(
            part(LABELS, MARKED) + part(TAGS, MARKED),
            delete="marked",
            reassigned_status=0,
        )
        assert [sent.body for sent in empty.writes] == [{"reassigned_status": 0}, None]
        assert [sent.content for sent in empty.writes][1] == b""


def test_of_a_row_that_is_gone(write: Write, empty: Sandbox) -> None:
    """A DELETE that is answered with 404 is done."""
    row = empty.tables[TAGS].add(label="Gone")

    def delete_first(request: t.Any) -> None:
        if request.method == "DELETE":
            empty.tables[TAGS].delete(row["id"])

    empty.on_request = delete_first
    result = write(part(TAGS, MARKED), delete="marked")
    assert (result.outcomes, result.exit_code) == (["deleted"], 0)


def test_thousands_of_entries(write: Write, empty: Sandbox) -> None:
    """Entries are created and deleted by the thousand, with one answer each."""
    values = [{"bl_value": f"{number}.example.com"} for number in range(2_500)]
    result = write(part(BLOCKED, *values))
    assert result.counts == {"created": 2_500}
    assert [len(sent.body["bl_values"]) for sent in empty.writes] == [1000, 1000, 500]
    assert {line["requests"] for line in result.report} == {1}
    empty.writes.clear()
    result = write(table(BLOCKED, values[0]), delete="mirror", max_change_percent=100)
    assert result.counts == {"unchanged": 1, "deleted": 2_499}
    assert [len(sent.body["ids"]) for sent in empty.writes] == [1000, 1000, 499]
    assert {line["requests"] for line in result.report} == {0, 1}
    assert names(empty, BLOCKED) == {"0.example.com"}
