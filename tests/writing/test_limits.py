"""`max_change_percent`, `allow_enrichment` and `on_reject`: what stops a run."""

from __future__ import annotations

import typing as t

import pytest

from tests.writing.runs import (
    BLOCKED,
    DELETED,
    LABELS,
    LISTS,
    STATE,
    TAGS,
    label,
    part,
    table,
)

if t.TYPE_CHECKING:
    from tap_instantly.sandbox import Sandbox
    from tests.conftest import Json
    from tests.writing.conftest import Write


def fill(sandbox: Sandbox, count: int) -> list[str]:
    """Add some tags."""
    names = [f"T{number}" for number in range(count)]
    for name in names:
        sandbox.tables[TAGS].add(label=name, description=...)
    return names


def changes(names: list[str], updates: int, deletions: int, renames: int) -> list[Json]:
    """Return records that change so many of some tags, and create one."""
    kinds: list[t.Callable[[str], Json]] = [
        *[lambda name: {"label": name, "description": "x"}] * updates,
        *[lambda name: {"label": name, "_sdc_deleted_at": DELETED}] * deletions,
        *[lambda name: {"label": f"New {name}"}] * renames,
    ]
    return [kind(name) for kind, name in zip(kinds, names, strict=False)]


class TestMaxChangePercent:
    """`max_change_percent`."""

    @pytest.mark.parametrize(
        ("held", "counts", "percent", "stops"),
        [
            (10, (3, 0, 0), 30, False),
            (10, (4, 0, 0), 30, True),
            (10, (1, 1, 1), 30, False),
            (10, (1, 1, 2), 30, True),
            (10, (0, 4, 0), 30, True),
            (10, (0, 0, 4), 30, True),
            (9, (3, 3, 3), 30, False),
            (11, (3, 0, 0), 30, False),
            (11, (0, 4, 0), 30, True),
            (10, (1, 0, 0), 0, True),
            (10, (0, 0, 0), 0, False),
            (10, (5, 5, 0), 100, False),
            (10, (5, 5, 0), 99, True),
            (30, (4, 4, 2), 33, True),
            (100, (11, 11, 11), 33, False),
        ],
    )
    def test_border(
        self,
        write: Write,
        empty: Sandbox,
        *,
        held: int,
        counts: tuple[int, int, int],
        percent: int,
        stops: bool,
    ) -> None:
        """Updates, renames and deletions count, new rows do not."""
        names = fill(empty, held)
        records = [
            *changes(names, *counts),
            *({"label": f"More {n}"} for n in "ABCDEF"),
        ]
        result = write(
            part(TAGS, *records),
            delete="marked",
            max_change_percent=percent,
            renames={TAGS: {name: f"New {name}" for name in names}},
        )
        assert result.exit_code == stops
        if stops:
            assert result.counts == {"not attempted": sum(counts) + 6}
            assert (empty.writes, result.states) == ([], [])
            assert "max_change_percent" in result.log
        else:
            assert result.counts["created"] == 6
            assert len(empty.ledger) == sum(counts) + 6

    def test_by_default(self, write: Write, empty: Sandbox) -> None:
        """Thirty percent are allowed."""
        names = fill(empty, 10)
        assert write(part(TAGS, *changes(names, 4, 0, 0))).exit_code == 1
        assert write(part(TAGS, *changes(names, 3, 0, 0))).exit_code == 0

    @pytest.mark.parametrize("is_first", [True, False])
    def test_stops_every_stream(
        self, write: Write, empty: Sandbox, *, is_first: bool
    ) -> None:
        """Nothing of any stream is written, neither before nor after it."""
        names = fill(empty, 10)
        other = part(LISTS if is_first else BLOCKED, {"name": "x", "bl_value": "x.com"})
        result = write(other + part(TAGS, *changes(names, 4, 0, 0)))
        assert result.counts == {"not attempted": 5}
        assert empty.writes == []

    def test_mirror(self, write: Write, empty: Sandbox) -> None:
        """A table that lost most of its rows deletes none."""
        names = fill(empty, 10)
        result = write(table(TAGS, {"label": names[0]}), delete="mirror")
        assert (len(empty.tables[TAGS]), result.exit_code) == (10, 1)
        assert result.counts == {"unchanged": 1, "not attempted": 9}

    def test_rows_that_do_not_change(self, write: Write, empty: Sandbox) -> None:
        """Skipped and rejected records change nothing."""
        names = fill(empty, 10)
        records = part(TAGS, *({"label": n, "description": "x"} for n in names))
        result = write(records, mode="create")
        assert (result.counts, result.exit_code) == ({"skipped": 10}, 0)


class TestEnrichment:
    """`allow_enrichment`."""

    @pytest.mark.parametrize("allowed", [False, True])
    @pytest.mark.parametrize("held", [..., None, False, True, "no row"])
    @pytest.mark.parametrize("wanted", [..., None, False, True])
    def test_change_to_true(
        self, write: Write, empty: Sandbox, wanted: t.Any, held: t.Any, *, allowed: bool
    ) -> None:
        """It is rejected unless it is allowed; all else is as usual."""
        if held != "no row":
            empty.lists.add(name="L", has_enrichment_task=held)
        values = {} if wanted is ... else {"has_enrichment_task": wanted}
        result = write(part(LISTS, {"name": "L", **values}), allow_enrichment=allowed)
        if wanted is True and held is not True and not allowed:
            outcome = "rejected"
        elif held == "no row":
            outcome = "created"
        elif wanted in (..., None) or wanted == held:
            outcome = "unchanged"
        else:
            outcome = "updated"
        assert result.outcomes == [outcome]
        assert result.exit_code == (outcome == "rejected")

    @pytest.mark.parametrize(
        ("mode", "is_there"), [("create", True), ("update", False)]
    )
    def test_of_what_a_mode_leaves_out(
        self, write: Write, empty: Sandbox, mode: str, *, is_there: bool
    ) -> None:
        """What is not written costs nothing."""
        if is_there:
            empty.lists.add(name="L", has_enrichment_task=False)
        values = {"name": "L", "has_enrichment_task": True}
        assert write(part(LISTS, values), mode=mode).outcomes == ["skipped"]


BAD = {
    "sentiment": label("Bad", "lukewarm"),
    "sentiment in capitals": label("Bad", "Positive"),
    "number": label("Bad", description=5),
    "list": label("Bad", description=["x"]),
    "object": label("Bad", description={"x": 1}),
    "boolean": label("Bad", description=True),
    "no sentiment": {"label": "Bad"},
}


class TestOnReject:
    """`on_reject`."""

    @pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
    @pytest.mark.parametrize(
        ("on_reject", "created", "exit_code"),
        [("fail", 3, 1), ("skip", 3, 0), ("fail_fast", 0, 1)],
    )
    def test_rejected(
        self,
        write: Write,
        empty: Sandbox,
        *,
        bad: Json,
        on_reject: str,
        created: int,
        exit_code: int,
    ) -> None:
        """What cannot be right is rejected before anything is sent."""
        messages = part(LABELS, label("A"), bad, label("B")) + part(
            TAGS, {"label": "C"}
        )
        result = write(messages, on_reject=on_reject)
        assert result.line("Bad")["outcome"] == "rejected"
        assert result.line("Bad")["reason"]
        assert (result.line("Bad")["requests"], result.line("Bad")["action"]) == (
            0,
            "none",
        )
        assert len(empty.writes) == len(empty.ledger) == created
        assert result.exit_code == exit_code
        assert result.states == ([STATE] if not exit_code else [])
        rest = {"not attempted": 3} if on_reject == "fail_fast" else {"created": 3}
        assert result.counts == {"rejected": 1, **rest}

    @pytest.mark.parametrize(
        ("on_reject", "outcomes", "exit_code"),
        [
            ("fail", ["created", "refused", "created", "created"], 1),
            ("skip", ["created", "refused", "created", "created"], 0),
            ("fail_fast", ["created", "refused", "not attempted", "not attempted"], 1),
        ],
    )
    def test_refused(
        self,
        write: Write,
        empty: Sandbox,
        *,
        on_reject: str,
        outcomes: list[str],
        exit_code: int,
    ) -> None:
        """What Instantly refuses has its message in the report, and not in the log."""
        body = b'{"statusCode":400,"error":"Bad Request","message":"Never Bad, please"}'
        empty.fail("lead-labels", 400, after=1, times=1, method="POST", body=body)
        messages = part(LABELS, label("A"), label("Bad"), label("B"))
        result = write(messages + part(TAGS, {"label": "C"}), on_reject=on_reject)
        by_key = {line["key"]: line for line in result.report}
        assert [by_key[key]["outcome"] for key in ("A", "Bad", "B", "C")] == outcomes
        assert "Never Bad, please" in by_key["Bad"]["reason"]
        assert "400" in by_key["Bad"]["reason"]
        assert (by_key["Bad"]["action"], by_key["Bad"]["requests"]) == ("create", 1)
        assert "Bad, please" not in result.log
        assert result.exit_code == exit_code
        assert result.states == ([STATE] if not exit_code else [])

    @pytest.mark.parametrize("on_reject", ["fail", "skip", "fail_fast"])
    @pytest.mark.parametrize("commits", [True, False])
    def test_uncertain_is_another_matter(
        self, write: Write, empty: Sandbox, on_reject: str, *, commits: bool
    ) -> None:
        """What is uncertain always fails the run."""
        empty.hidden_seconds = 1000
        empty.fail("custom-tags", 500, times=2, method="POST", commits=commits)
        result = write(part(TAGS, {"label": "A"}), on_reject=on_reject)
        assert result.outcomes == ["uncertain"]
        assert (result.exit_code, result.states) == (1, [])

    def test_one_of_a_thousand(self, write: Write, empty: Sandbox) -> None:
        """The others are written, and each has its line."""
        records = [label(f"L{number}") for number in range(1000)]
        records[500] = label("Bad", "lukewarm")
        result = write(part(LABELS, *records))
        assert result.counts == {"created": 999, "rejected": 1}
        assert len(empty.labels) == 999
        assert (result.exit_code, result.states) == (1, [])
        again = write(part(LABELS, *records), on_reject="skip")
        assert again.counts == {"unchanged": 999, "rejected": 1}
        assert (again.exit_code, again.states) == (0, [STATE])
        assert len(empty.writes) == 999

    def test_of_half_a_character(self, write: Write, empty: Sandbox) -> None:
        """What no database could hold is rejected as well, and ends no run."""
        records = [label("A\ud800"), label("B", description="\udc00"), label("C")]
        result = write(part(LABELS, *records))
        assert result.counts == {"rejected": 2, "created": 1}
        assert (result.exit_code, len(empty.writes)) == (1, 1)


class TestBulk:
    """Entries of the block list that Instantly does not take."""

    @pytest.mark.parametrize("on_reject", ["fail", "skip"])
    def test_counted_as_invalid(
        self, write: Write, empty: Sandbox, on_reject: str
    ) -> None:
        """An entry that a bulk answer counts as invalid is refused."""
        names = ["a.example.com", "no domain", "b@example.com"]
        result = write(
            part(BLOCKED, *({"bl_value": name} for name in names)), on_reject=on_reject
        )
        assert result.outcomes == ["created", "refused", "created"]
        assert result.exit_code == (on_reject == "fail")
        assert len(empty.writes) == 1

    @pytest.mark.parametrize("behaviour", ["kept", "invalid", "existing"])
    def test_made_by_others_meanwhile(
        self, write: Write, empty: Sandbox, behaviour: t.Any
    ) -> None:
        """Whatever a duplicate gets, the outcome says what has become of it."""
        empty.duplicate_entries = behaviour

        def add(request: t.Any) -> None:
            if request.path.endswith("bulk-create"):
                empty.tables[BLOCKED].add(bl_value="A.example.com")

        empty.on_request = add
        result = write(part(BLOCKED, {"bl_value": "a.example.com"}))
        assert result.outcomes == ["refused" if behaviour == "invalid" else "created"]
        empty.on_request = None
        if behaviour != "kept":
            again = write(part(BLOCKED, {"bl_value": "a.example.com"}))
            assert again.outcomes == ["unchanged"]

    def test_refused_as_a_whole(self, write: Write, empty: Sandbox) -> None:
        """The batch is halved until only the entry is refused that is to blame."""

        def refuse(request: t.Any) -> None:
            empty.heal()
            if "bad.example.com" in (request.body or {}).get("bl_values", ()):
                empty.fail("bulk-create", 400)

        empty.on_request = refuse
        names = [*"abcd", "bad", *"efg"]
        result = write(
            part(BLOCKED, *({"bl_value": f"{n}.example.com"} for n in names))
        )
        assert result.counts == {"created": 7, "refused": 1}
        assert result.line("bad.example.com")["outcome"] == "refused"
        assert len(empty.writes) == 7


class TestFinal:
    """Refusals that hold for all that follows."""

    @pytest.mark.parametrize("on_reject", ["fail", "skip", "fail_fast"])
    @pytest.mark.parametrize("status", [401, 402, 403, "html403"])
    @pytest.mark.parametrize("stream", [LABELS, BLOCKED])
    def test_stop_the_stream(
        self, write: Write, empty: Sandbox, status: t.Any, on_reject: str, stream: str
    ) -> None:
        """The rest is not attempted, whatever `on_reject` says."""
        path = "/lead-labels" if stream == LABELS else "bulk-create"
        empty.fail(path, status, method="POST")
        names = ("a.example.com", "b.example.com")
        records = [label(n) if stream == LABELS else {"bl_value": n} for n in names]
        result = write(part(stream, *records), on_reject=on_reject)
        if stream == LABELS:
            assert result.outcomes == ["refused", "not attempted"]
        else:
            assert result.outcomes == ["refused"] * 2
        assert (result.exit_code, result.states) == (1, [])
        assert len(empty.writes) == 1

    def test_do_not_stop_others(self, write: Write, empty: Sandbox) -> None:
        """The key may lack the scope of one stream alone."""
        empty.fail("/lead-labels", 403, method="POST")
        result = write(part(LABELS, label("A")) + part(TAGS, {"label": "B"}))
        assert sorted(result.outcomes) == ["created", "refused"]

    @pytest.mark.parametrize("status", [400, 401, 402, 403, 404, "html403"])
    def test_unreadable_list(self, write: Write, empty: Sandbox, status: t.Any) -> None:
        """What cannot be read is not written."""
        empty.fail("/lead-labels", status, method="GET")
        records = part(LABELS, label("A"), label("A"), label("B", "lukewarm"))
        result = write(records + part(TAGS, {"label": "C"}), on_reject="skip")
        assert result.line("C")["outcome"] == "created"
        assert result.counts == {"not attempted": 3, "created": 1}
        assert (result.exit_code, result.states) == (1, [])

    def test_list_that_breaks_off(self, write: Write, empty: Sandbox) -> None:
        """Half a list is no list: what is missing there is not created again."""
        for number in range(150):
            empty.labels.add(**label(f"L{number}"))
        empty.fail("/lead-labels", 403, method="GET", after=1)
        result = write(
            table(LABELS, label("L0"), label("New")),
            delete="mirror",
            reassigned_status=1,
        )
        assert result.counts == {"not attempted": 2}
        assert empty.writes == []

    def test_tag_that_is_taken(self, write: Write, empty: Sandbox) -> None:
        """A 409 is a refusal like any other."""
        empty.on_request = lambda request: (
            empty.tables[TAGS].add(label="A") if request.method == "POST" else None
        )
        result = write(part(TAGS, {"label": "A"}))
        assert result.outcomes == ["refused"]
        assert "409" in result.report[0]["reason"]
        assert "already exists" in result.report[0]["reason"]
