"""target-attention: what it creates, changes, renames, clears and refuses."""

from __future__ import annotations

import typing as t

import pytest
from singer_sdk.exceptions import ConfigurationError, ConfigValidationError

from tap_instantly.attention.sandbox import Fault, Sandbox
from tests.attention.runs import read, report_of, table, write

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Json

OPTIONS: list[Json] = [{"value": "high", "description": "Wants to buy"}]


@pytest.fixture
def label(sandbox: Sandbox) -> Json:
    """Return a label that has everything."""
    return sandbox.add(name="Intent", description="What for", options=OPTIONS)


def patches(sandbox: Sandbox) -> list[Json]:
    """Return the bodies that changed a label."""
    return [body for method, _, body in sandbox.writes if method == "PATCH"]


def test_twice(sandbox: Sandbox) -> None:
    """The second run writes nothing."""
    sandbox.rows.clear()
    records: list[Json] = [
        {"name": "  A  ", "description": "a", "aiFlow": True, "options": OPTIONS},
        {"name": "B", "allTeams": "true", "description": None},
        {"name": "C"},
    ]
    assert write(sandbox, table(*records)).failure is None
    assert sandbox.writes == [
        (
            "POST",
            "/v2/labels",
            {"name": "A", "description": "a", "aiFlow": True, "options": OPTIONS},
        ),
        ("POST", "/v2/labels", {"name": "B", "allTeams": True}),
        ("POST", "/v2/labels", {"name": "C"}),
    ]
    assert [row["name"] for row in sandbox.rows] == ["A", "B", "C"]
    sandbox.writes.clear()
    assert write(sandbox, table(*records)).failure is None
    assert not sandbox.writes


@pytest.mark.parametrize("match_by", ["name", "uuid"])
@pytest.mark.parametrize("nulls", ["keep", "clear"])
def test_what_was_read(
    sandbox: Sandbox, label: Json, tmp_path: Path, match_by: str, nulls: str
) -> None:
    """What the tap has read changes nothing when it is written back."""
    label["options"] = [{**OPTIONS[0], "uuid": "1"}, {"value": "x"}]
    messages = read(sandbox, emit_activate_version_messages=True).messages
    path = tmp_path / "report.jsonl"
    settings = {"match_by": match_by, "nulls": nulls, "report_path": str(path)}
    run = write(sandbox, messages, **settings)
    assert run.failure is None
    assert not sandbox.writes
    outcomes = [line["outcome"] for line in report_of(path)]
    assert outcomes == ["unchanged"] * len(sandbox.rows)
    assert "unknown" not in run.log


CHANGES: dict[str, tuple[Json, Json]] = {
    "description": ({"description": "b"}, {"description": "b"}),
    "aiFlow": ({"aiFlow": True, "allTeams": False}, {"aiFlow": True}),
    "allTeams": ({"allTeams": True}, {"allTeams": True}),
    "an option more": (
        {"options": [*OPTIONS, {"value": "low"}]},
        {"options": [*OPTIONS, {"value": "low"}]},
    ),
    "another description of an option": (
        {"options": [{"value": "high", "description": "x", "uuid": "1"}]},
        {"options": [{"value": "high", "description": "x"}]},
    ),
    "no description": ({"description": ""}, {"description": ""}),
    "no options": ({"options": []}, {"options": []}),
}


@pytest.mark.parametrize(("values", "body"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("match_by", ["name", "uuid"])
def test_changes(
    sandbox: Sandbox, label: Json, match_by: str, values: Json, body: Json
) -> None:
    """A change sends the changed fields alone."""
    record = {"name": "Intent", "uuid": label["uuid"], **values}
    assert write(sandbox, table(record), match_by=match_by).failure is None
    assert patches(sandbox) == [body]


def test_the_order_of_options(sandbox: Sandbox, label: Json) -> None:
    """Options in another order are other options."""
    label["options"] = [{"value": "a"}, {"value": "b", "description": ""}]
    same: list[Json] = [{"value": "a", "description": None}, {"value": "b"}]
    write(sandbox, table({"name": "Intent", "options": same}))
    assert not sandbox.writes
    write(sandbox, table({"name": "Intent", "options": same[::-1]}))
    assert patches(sandbox) == [{"options": same[::-1]}]


def test_nulls(sandbox: Sandbox, label: Json) -> None:
    """A null keeps a field, or clears it by what Attention takes for that."""
    record = {"name": "Intent", "description": None, "options": None}
    write(sandbox, table(record))
    assert not sandbox.writes
    assert write(sandbox, table(record), nulls="clear").failure is None
    assert patches(sandbox) == [{"description": "", "options": []}]
    assert (label["description"], label["options"]) == (None, [])
    write(sandbox, table(record), nulls="clear")
    assert len(sandbox.writes) == 1


@pytest.mark.parametrize("field", ["aiFlow", "allTeams"])
def test_nulls_that_clear_nothing(
    sandbox: Sandbox, label: Json, tmp_path: Path, field: str
) -> None:
    """Nothing clears a boolean, so that the record is rejected."""
    path = tmp_path / "report.jsonl"
    record = {"name": label["name"], field: None}
    run = write(sandbox, table(record), nulls="clear", report_path=str(path))
    assert run.failure == 1
    assert report_of(path)[0]["reason"] == f"`{field}` cannot be null"
    assert not sandbox.writes


REJECTED: dict[str, tuple[Json, str]] = {
    "a blank name": ({"name": "  "}, "it has no `name`"),
    "no name": ({"description": "a"}, "it has no `name`"),
    "a long name": ({"name": "x" * 129}, "`name` has more than 128 characters"),
    "a long description": (
        {"name": "Intent", "description": "x" * 2001},
        "`description` has more than 2000 characters",
    ),
    "options of text": (
        {"name": "Intent", "options": ["high"]},
        "`options` must be a list of objects with a text `value`",
    ),
    "options without a value": (
        {"name": "Intent", "options": [{"description": "x"}]},
        "`options` must be a list of objects with a text `value`",
    ),
    "half a character": (
        {"name": "Intent", "options": [{"value": "a", "description": "\ud800"}]},
        "`options` has half a character",
    ),
    "options as text": (
        {"name": "Intent", "options": "high"},
        "`options` must be a list",
    ),
    "a word for a boolean": (
        {"name": "Intent", "aiFlow": "often"},
        "`aiFlow` must be true or false",
    ),
}


@pytest.mark.parametrize(("record", "reason"), REJECTED.values(), ids=REJECTED)
@pytest.mark.usefixtures("label")
def test_rejected(sandbox: Sandbox, tmp_path: Path, record: Json, reason: str) -> None:
    """What Attention would refuse is rejected before it is sent."""
    path = tmp_path / "report.jsonl"
    assert write(sandbox, table(record), report_path=str(path)).failure == 1
    assert report_of(path)[0]["outcome"] == "rejected"
    assert report_of(path)[0]["reason"] == reason
    assert not sandbox.writes


def test_the_longest_texts(sandbox: Sandbox) -> None:
    """Blanks around a name do not count."""
    record = {"name": f" {'x' * 128} ", "description": "y" * 2000}
    assert write(sandbox, table(record)).failure is None
    assert sandbox.rows[-1]["name"] == "x" * 128


RENAMES = {"labels": {"Intent": "Purpose"}}


@pytest.mark.parametrize("match_by", ["name", "uuid"])
def test_renames(sandbox: Sandbox, label: Json, match_by: str) -> None:
    """A rename that is asked for is done, and the log says what it reaches."""
    record = {"name": "Purpose", "uuid": label["uuid"], "description": "What for"}
    run = write(sandbox, table(record), match_by=match_by, renames=RENAMES)
    assert run.failure is None
    assert patches(sandbox) == [{"name": "Purpose"}]
    assert "renamed, which also changes the scorecards and collections" in run.log
    assert label["name"] == "Purpose"


@pytest.mark.parametrize("renames", [{}, {"labels": {"Intention": "Purpose"}}])
def test_renames_nobody_asked_for(
    sandbox: Sandbox, label: Json, tmp_path: Path, renames: Json
) -> None:
    """A record that matches by `uuid` under another name is rejected."""
    path = tmp_path / "report.jsonl"
    record = {"name": "Purpose", "uuid": label["uuid"], "description": "x"}
    settings = {"match_by": "uuid", "renames": renames, "report_path": str(path)}
    assert write(sandbox, table(record), **settings).failure == 1
    assert "add it to `renames`" in report_of(path)[0]["reason"]
    assert not sandbox.writes


def test_a_name_of_another_label(sandbox: Sandbox, label: Json, tmp_path: Path) -> None:
    """No label gets a name that another one has."""
    path = tmp_path / "report.jsonl"
    record = {"name": "Label 1", "uuid": label["uuid"]}
    renames = {"labels": {"Intent": "Label 1"}}
    settings = {"match_by": "uuid", "renames": renames, "report_path": str(path)}
    assert write(sandbox, table(record), **settings).failure == 1
    assert "another row has this name already" in report_of(path)[0]["reason"]
    assert not sandbox.writes


@pytest.mark.parametrize("uuid", [None, "", "no-such-label"])
def test_no_such_label(sandbox: Sandbox, tmp_path: Path, uuid: str | None) -> None:
    """By `uuid` nothing is created."""
    path = tmp_path / "report.jsonl"
    record = {"name": "New", "uuid": uuid}
    settings = {"match_by": "uuid", "report_path": str(path)}
    assert write(sandbox, table(record), **settings).failure == 1
    assert report_of(path)[0]["reason"] == (
        "the organization has no row with this id; it may have been deleted"
        if uuid
        else "it has no `uuid`"
    )


@pytest.mark.parametrize("value", ["marked", "mirror", "soon"])
def test_deletions(sandbox: Sandbox, value: str) -> None:
    """They are not documented, and refused in words."""
    with pytest.raises(ConfigValidationError) as error:
        write(sandbox, table(), delete=value)
    assert error.value.errors == [
        "Setting `delete` must be `never`: Attention does not say how to delete labels."
    ]


def test_a_marked_record(sandbox: Sandbox, label: Json, tmp_path: Path) -> None:
    """A marker of deletion deletes nothing."""
    record = {"name": label["name"], "_sdc_deleted_at": "2026-01-01T00:00:00Z"}
    path = tmp_path / "report.jsonl"
    assert write(sandbox, table(record), report_path=str(path)).failure is None
    assert report_of(path)[0]["outcome"] == "skipped"
    assert not sandbox.writes


def test_settings_of_instantly_alone(sandbox: Sandbox) -> None:
    """Settings about leads and credits are unknown."""
    for name, value in {"reassigned_status": 1, "allow_enrichment": True}.items():
        with pytest.raises(ConfigValidationError, match="validation failed") as error:
            write(sandbox, table(), **{name: value})
        assert f"Setting `{name}` is unknown" in error.value.errors[0]


def test_another_stream(sandbox: Sandbox) -> None:
    """A stream that Attention does not have is refused in words."""
    message: Json = {"type": "SCHEMA", "stream": "leads", "schema": {"properties": {}}}
    with pytest.raises(ConfigurationError, match="cannot be written to Attention"):
        write(sandbox, [message])


def test_a_list_that_cannot_be_read(sandbox: Sandbox) -> None:
    """Nothing is written where it is not known what is there."""
    sandbox.promised = 13
    run = write(sandbox, table({"name": "New"}))
    assert run.failure == 1
    assert "promises 13 rows, but brings 12" in run.log
    assert not sandbox.writes


@pytest.mark.parametrize("status", [0, 500, 502])
@pytest.mark.parametrize("commits", [True, False])
@pytest.mark.parametrize("action", ["POST", "PATCH"])
def test_uncertain_writes(
    sandbox: Sandbox, label: Json, status: int, action: str, *, commits: bool
) -> None:
    """A write of which nobody knows is looked for, and never done twice."""
    before = len(sandbox.rows)
    sandbox.faults.append(Fault(action, status, times=1, commits=commits))
    name = label["name"] if action == "PATCH" else "New"
    run = write(sandbox, table({"name": name, "aiFlow": True}), settle_seconds=0)
    assert run.failure is None
    assert len(sandbox.rows) == before + (action == "POST")
    assert [row["aiFlow"] for row in sandbox.rows if row["name"] == name] == [True]
    carried_out = [body for method, _, body in sandbox.writes if method == action]
    assert len(carried_out) == 1


def test_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """What Attention refuses is reported with what it says."""
    path = tmp_path / "report.jsonl"
    body = '{"errors": [{"message": "not on Sundays"}]}'
    sandbox.faults.append(Fault("POST", 422, body=body))
    assert write(sandbox, table({"name": "A"}), report_path=str(path)).failure == 1
    [line] = report_of(path)
    assert line["outcome"] == "refused"
    assert line["reason"] == "Attention refuses it (HTTP 422): not on Sundays"


def test_dry_run(
    sandbox: Sandbox, label: Json, capfd: pytest.CaptureFixture[str]
) -> None:
    """It prints the plan, and writes nothing."""
    records = [{"name": label["name"], "description": ""}, {"name": "New"}]
    write(sandbox, table(*records), dry_run=True)
    assert not sandbox.writes
    plan = capfd.readouterr().err
    assert '  ~ "Intent": description' in plan
    assert '  + "New": name' in plan
