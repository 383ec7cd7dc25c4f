"""The report: a line for every record, true whatever happens."""

from __future__ import annotations

import json
import typing as t

import pytest
from singer_sdk.exceptions import ConfigurationError

from tests.writing.runs import BLOCKED, DELETED, LABELS, LISTS, TAGS, label, part, run

if t.TYPE_CHECKING:
    from pathlib import Path

    from tap_instantly.sandbox import Sandbox
    from tests.writing.conftest import Write

NAMES = ["stream", "key", "id", "action", "outcome", "fields", "reason", "requests"]


def test_keys(write: Write, empty: Sandbox) -> None:
    """Every line has the same keys, in the same order, whatever the outcome."""
    empty.labels.add(**label("Old"), description=...)
    empty.fail("/lead-labels", 400, method="POST", after=1)
    result = write(
        part(
            LABELS,
            label("New"),
            label("Refused"),
            label("Old", description="x"),
            label("Old", description="y"),
            label("Bad", "lukewarm"),
            label("Gone", _sdc_deleted_at=DELETED),
            {"label": None},
        )
    )
    assert [[*line] for line in result.report] == [NAMES] * 7
    assert result.counts == {
        "created": 1,
        "refused": 1,
        "superseded": 1,
        "updated": 1,
        "rejected": 2,
        "skipped": 1,
    }
    for line in result.report:
        assert line["stream"] == LABELS
        assert line["reason"] is None or isinstance(line["reason"], str)
        assert (line["action"] == "none") == (
            line["outcome"] in ("superseded", "rejected", "skipped")
        )


@pytest.mark.parametrize("key", [5, None, True, ["x"], {"a": "b"}, "  ", ""])
def test_key_as_it_came_in(write: Write, key: t.Any) -> None:
    """A key that is none stands in the report all the same."""
    result = write(part(TAGS, {"label": key}))
    assert result.line(key)["outcome"] == "rejected"


def test_values(write: Write, empty: Sandbox) -> None:
    """With `report_values` the fields have what they were and what they are."""
    empty.labels.add(**label("Old"), description="Before")
    records = part(LABELS, label("Old", description="After"), label("New"))
    result = write(records, report_values=True)
    assert result.line("Old")["fields"] == {
        "description": {"from": "Before", "to": "After"}
    }
    assert result.line("New")["fields"] == {
        "label": {"from": None, "to": "New"},
        "interest_status_label": {"from": None, "to": "positive"},
    }


def test_letters_of_every_kind(write: Write, tmp_path: Path) -> None:
    """Names stand in it as people read them, a line each."""
    name = "Heiß 🔥\n\u2028\x85"
    result = write(part(LISTS, {"name": name}))
    assert result.exit_code == 0
    text = (tmp_path / "report.jsonl").read_text("utf-8")
    assert "Heiß 🔥" in text
    (line,) = text.strip("\n").split("\n")
    assert json.loads(line)["key"] == name


def test_each_run_begins_a_new_file(write: Write) -> None:
    """What another run has reported is gone."""
    write(part(TAGS, {"label": "A"}))
    assert [line["key"] for line in write(part(TAGS, {"label": "B"})).report] == ["B"]
    assert write([]).report == []


def test_even_a_run_that_fails_begins_a_new_file(write: Write, tmp_path: Path) -> None:
    """A report is never that of another run."""
    write(part(TAGS, {"label": "A"}))
    with pytest.raises(ConfigurationError):
        write(part("leads", {"id": "x"}))
    assert (tmp_path / "report.jsonl").read_text("utf-8") == ""


def test_file_that_cannot_be_written(empty: Sandbox, tmp_path: Path) -> None:
    """The run ends before it reads or writes anything."""
    with pytest.raises(ConfigurationError, match="report_path"):
        run(empty, part(TAGS, {"label": "A"}), tmp_path / "missing" / "report.jsonl")
    assert empty.requests == []


def test_requests_of_an_entry_are_those_of_its_batch(
    write: Write, empty: Sandbox
) -> None:
    """What was sent for one was sent for all."""
    empty.fail("bulk-create", 429, times=2)
    result = write(part(BLOCKED, {"bl_value": "a.com"}, {"bl_value": "b.com"}))
    assert [line["requests"] for line in result.report] == [3, 3]


def test_requests_of_an_uncertain_write(write: Write, empty: Sandbox) -> None:
    """Reading counts as well: the attempt, the lists, the second attempt."""
    empty.fail("/custom-tags", 500, method="POST", times=1)
    result = write(part(TAGS, {"label": "A"}))
    begin = next(i for i, r in enumerate(empty.requests) if r.method == "POST")
    assert result.report[0]["requests"] == len(empty.requests) - begin
    assert result.report[0]["outcome"] == "created"


def test_answer_that_differs(write: Write, empty: Sandbox) -> None:
    """What Instantly has stored otherwise is named, without its value."""

    def change(request: t.Any) -> None:
        request.content = request.content.replace(b"of ours", b"of theirs")
        request.body = json.loads(request.content or b"null")

    empty.on_request = change
    result = write(part(LABELS, label("A", description="Secret of ours")))
    line = result.line("A")
    assert line["outcome"] == "created"
    assert "description" in line["reason"]
    assert "description" in result.log
    assert "Secret" not in result.log + line["reason"]


class TestInterestStatus:
    """A number that leads point to, and that changes with a label."""

    def test_that_changes(self, write: Write, empty: Sandbox) -> None:
        """It is warned about, because leads point to it."""
        empty.renumber_labels = True
        row = empty.labels.add(**label("Confidential"))
        result = write(part(LABELS, label("Confidential", "negative")))
        line = result.line("Confidential")
        after = empty.labels.get(row["id"])["interest_status"]
        assert after != row["interest_status"]
        assert line["outcome"] == "updated"
        assert "interest_status" in line["reason"]
        assert str(row["interest_status"]) in line["reason"]
        assert str(after) in line["reason"]
        assert "interest_status" in result.log
        assert "Confidential" not in result.log

    def test_that_changes_after_an_uncertain_write(
        self, write: Write, empty: Sandbox
    ) -> None:
        """It is seen in the row that is read again, too."""
        empty.renumber_labels = True
        empty.labels.add(**label("A"))
        empty.fail("", 500, method="PATCH", commits=True, times=1)
        result = write(part(LABELS, label("A", "negative")))
        assert "interest_status" in result.line("A")["reason"]

    def test_that_stays(self, write: Write, empty: Sandbox) -> None:
        """Nothing is said of it."""
        empty.labels.add(**label("A"))
        result = write(part(LABELS, label("A", "negative")))
        assert result.line("A")["reason"] is None
        assert "interest_status" not in result.log


def test_log_ends_with_a_line_a_stream(write: Write) -> None:
    """With the sums of its outcomes."""
    result = write(
        part(TAGS, {"label": "A"}, {"label": 5}, {"label": "A"})
        + part(LISTS)
        + part(LABELS, label("B"))
    )
    lines = [
        line
        for line in result.log.splitlines()
        if line.startswith((LABELS, LISTS, TAGS)) and "requests" in line
    ]
    assert [line.split(":")[0] for line in lines] == [LABELS, LISTS, TAGS]
    assert "1 created" in lines[0]
    assert "no records" in lines[1]
    assert "1 created, 1 superseded, 1 rejected" in lines[2]


def test_no_value_in_the_log(write: Write, empty: Sandbox) -> None:
    """Neither names nor other values, nor the key, whatever the outcome."""
    secret = "Confidential"
    empty.labels.add(**label(f"{secret} 1"), description=...)
    empty.labels.add(**label(f"{secret} 2"))
    for _ in range(2):
        empty.lists.add(name=f"{secret} 3")
    body = json.dumps({"message": f"{secret} {empty.key}"}).encode()
    empty.fail("/custom-tags", 400, method="POST", times=1, body=body)
    empty.fail("/custom-tags", 403, method="POST", body=body)
    result = write(
        part(
            LABELS,
            label(f"{secret} 1", description=secret),
            label(f"{secret} 2", "Confidential"),
            label(f"{secret} 4", description=[secret]),
            label(f"{secret} 5", use_with_ai=secret),
        )
        + part(LISTS, {"name": f"{secret} 3"})
        + part(TAGS, *({"label": f"{secret} {n}"} for n in range(4)))
        + part(BLOCKED, {"bl_value": secret}),
    )
    assert {"created", "updated", "rejected", "refused", "not attempted"} >= {
        *result.counts
    }
    assert secret not in result.log + result.stderr
    assert empty.key not in result.log + str(result.report)
