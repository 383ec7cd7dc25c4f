"""Nothing is written twice, and nothing deleted unasked, whatever happens.

This is what the target promises, and under which conditions:

- A row that a client has created is in its list within `settle_seconds`.
- Others may do what they like between two runs. During a run they create no row of a
  name that the run creates as well: Instantly has nothing that would keep two clients
  from doing so at once.
- A run that was killed, or did not settle everything, is run again with the same input,
  because no STATE was passed.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
)

from tap_instantly.api import client
from tap_instantly.api.client import Client
from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.http.faults import Fault
from tap_instantly.target.report import Report
from tap_instantly.target.target import TargetInstantly
from tap_instantly.target.termination import Termination
from tests.conftest import Json, captured
from tests.state_machines import run_machine
from tests.writing.conftest import Clock, check_writes
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
    config_for,
    part,
    state,
    text_of,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

EXAMPLES = {"ci": 15, "nightly": 1_000}
STEPS = 12
SETTLE = 10

NAMES = [f"{letter}.example.com" for letter in "abcd"]
"""What rows are called that records may be about."""
OTHERS = [f"{letter}.example.org" for letter in "xy"]
"""What rows are called that others create during a run."""

TEXTS = st.sampled_from([..., None, "", "one", "two"])
FLAGS = st.sampled_from([..., None, False, True])
FIELDS: dict[str, dict[str, st.SearchStrategy[t.Any]]] = {
    LABELS: {
        "interest_status_label": st.sampled_from(["positive", "negative", "lukewarm"]),
        "description": TEXTS,
        "use_with_ai": FLAGS,
    },
    LISTS: {"has_enrichment_task": FLAGS},
    TAGS: {"description": TEXTS},
    BLOCKED: {},
}
RECORDS = {
    stream: st.lists(
        st.fixed_dictionaries(
            {
                KEYS[stream]: st.sampled_from([*NAMES, *NAMES, None]),
                "_sdc_deleted_at": st.sampled_from([..., ..., None, DELETED]),
                **fields,
            }
        ).map(lambda record: {k: v for k, v in record.items() if v is not ...}),
        max_size=5,
    )
    for stream, fields in FIELDS.items()
}

REFUSALS = ["400", "401", "403", "409", "429", "html403"]
"""What says for certain that nothing was written."""
KINDS = [
    *(*REFUSALS, "408", "500", "503"),
    *("not-json", "no-items", "items-null", "not-object", "reset", "truncate", "hang"),
]
FAULTS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(KINDS), st.booleans()), max_size=5
)
"""The number of a request, what goes wrong with it, and whether it is carried out."""

EDITS = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from(STREAMS),
        st.sampled_from(["add", "edit", "delete"]),
        st.integers(0, 99),
    ),
    max_size=3,
)
"""The number of a request, and what others do before it is answered."""

ENDS = st.tuples(
    st.sampled_from(["SIGTERM", "SIGKILL"]),
    st.sampled_from(["line", "request", "answer"]),
    st.integers(0, 25),
)
"""The signal, and before what it comes: a line of the report, a request, its answer."""

SETTINGS = st.fixed_dictionaries(
    {
        "delete": st.sampled_from(["never", "marked", "mirror", "mirror"]),
        "nulls": st.sampled_from(["keep", "clear"]),
        "renames": st.dictionaries(
            st.just(LABELS),
            st.dictionaries(st.sampled_from(NAMES), st.sampled_from(NAMES), max_size=2),
            min_size=1,
        ),
    }
)
SWITCHES = st.fixed_dictionaries(
    {
        "hidden_seconds": st.sampled_from([0.0, 0.5, float(SETTLE), float(SETTLE)]),
        "omits_nulls": st.booleans(),
        "trimmed_tags": st.booleans(),
        "renumber_labels": st.booleans(),
        "duplicate_entries": st.sampled_from(["kept", "invalid", "existing"]),
        "order": st.sampled_from([None, "newest", "oldest"]),
        "end": st.sampled_from([None, "absent", "null"]),
    }
)


class Killed(BaseException):
    """The end of a process that cannot do anything about it."""


@dataclass
class Run:
    """One run, and what has become of it.

    Attributes:
        config: Its settings.
        wanted: Its records by stream.
        complete: Whether its tables are complete.
        before: The keys of the rows that there were, by id, for each stream.
    """

    config: Json
    wanted: dict[str, list[Json]]
    complete: bool
    before: dict[str, dict[str, str]] = field(default_factory=dict)
    exit_code: int | None = None
    states: list[Json] = field(default_factory=list)
    report: list[Json] = field(default_factory=list)

    def last(self, stream: str) -> dict[str, Json]:
        """Return the records that count, by their keys."""
        name = KEYS[stream]
        return {r[name]: r for r in self.wanted.get(stream, ()) if r[name]}

    def may_mirror(self, stream: str) -> bool:
        """Tell whether what a table does not have is to be deleted."""
        records = self.wanted.get(stream, [])
        has_rows = any(not is_marked(record) for record in records)
        return has_rows and self.is_mirrored(stream)

    def is_mirrored(self, stream: str) -> bool:
        """Tell whether a table is complete, and each of its records has a name."""
        records = self.wanted.get(stream, [])
        has_names = all(record[KEYS[stream]] for record in records)
        return self.config["delete"] == "mirror" and self.complete and has_names

    def may_delete(self, stream: str, key: str) -> bool:
        """Tell whether somebody has asked for the deletion of a row."""
        record = self.last(stream).get(key)
        if record is None:
            return self.may_mirror(stream)
        is_heeded = self.config["delete"] == "marked" or self.is_mirrored(stream)
        return is_marked(record) and is_heeded


def is_marked(record: Json) -> bool:
    """Tell whether a record is marked as deleted."""
    return record.get("_sdc_deleted_at") is not None


class Machine(RuleBasedStateMachine):
    """People who work in a workspace, and runs that write to it."""

    sandbox: t.ClassVar[Sandbox]
    clock: t.ClassVar[Clock]
    directory: t.ClassVar[Path]

    def __init__(self) -> None:
        """Begin with empty lists."""
        super().__init__()
        for stream in STREAMS:
            self.sandbox.tables[stream].reset()
        self.wanted: dict[str, list[Json]] = {}
        self.settings: Json = {}

    # What people do

    @initialize(
        chosen=SETTINGS,
        switches=SWITCHES,
        wanted=st.fixed_dictionaries(RECORDS),
        held=st.lists(st.tuples(st.sampled_from(STREAMS), st.sampled_from(NAMES))),
    )
    def begin(
        self,
        chosen: Json,
        switches: Json,
        wanted: dict[str, list[Json]],
        held: list[tuple[str, str]],
    ) -> None:
        """Begin with some rows, and with wishes."""
        self.choose(chosen)
        self.switch(switches)
        self.wanted = wanted
        for stream, name in held:
            self.add(stream, name)

    @rule(stream=st.sampled_from(STREAMS), data=st.data())
    def want(self, stream: str, data: st.DataObject) -> None:
        """Change the records of a stream."""
        self.wanted[stream] = data.draw(RECORDS[stream])

    @rule(chosen=SETTINGS)
    def choose(self, chosen: Json) -> None:
        """Change the settings."""
        self.settings = chosen

    @rule(switches=SWITCHES)
    def switch(self, switches: Json) -> None:
        """Change what is unknown of the API."""
        for name, value in switches.items():
            setattr(self.sandbox, name, value)

    @rule(stream=st.sampled_from(STREAMS), name=st.sampled_from([*NAMES, *OTHERS]))
    def add(self, stream: str, name: str) -> None:
        """Create a row, maybe of a name that another one has."""
        table = self.sandbox.tables[stream]
        taken = any(row[KEYS[stream]] == name for row in table.rows)
        if not (taken and stream in (TAGS, BLOCKED)):
            values: Json = {KEYS[stream]: name, "description": "theirs"}
            table.add(**{k: v for k, v in values.items() if k in _names(stream)})

    @rule(stream=st.sampled_from(STREAMS), number=st.integers(0, 99))
    def edit(self, stream: str, number: int) -> None:
        """Change a row."""
        rows = self.sandbox.tables[stream].rows
        if rows and "description" in FIELDS[stream]:
            row = rows[number % len(rows)]
            self.sandbox.tables[stream].edit(row["id"], description=f"theirs {number}")

    @rule(stream=st.sampled_from(STREAMS), number=st.integers(0, 99))
    def delete(self, stream: str, number: int) -> None:
        """Delete a row."""
        rows = self.sandbox.tables[stream].rows
        if rows:
            self.sandbox.tables[stream].delete(rows[number % len(rows)]["id"])

    # What the target does

    @rule(complete=st.booleans())
    def write(self, *, complete: bool) -> None:
        """Run undisturbed."""
        self._check_result(self._run(complete=complete))

    @rule(faults=FAULTS, edits=EDITS, complete=st.booleans())
    def write_disturbed(self, faults: t.Any, edits: t.Any, *, complete: bool) -> None:
        """Run while things go wrong, and others are at work."""
        self._run(complete=complete, faults=faults, edits=edits)

    @rule(faults=FAULTS, end=ENDS, complete=st.booleans())
    def write_until_killed(self, faults: t.Any, end: t.Any, *, complete: bool) -> None:
        """Run while things go wrong, and be killed."""
        self._run(complete=complete, faults=faults, end=end)

    def teardown(self) -> None:
        """End with an undisturbed run, and one that has nothing to do any more."""
        if sys.exc_info()[0] is None:
            self._check_result(self._run(complete=True))
            self.sandbox.writes.clear()
            again = self._run(complete=True)
            outcomes = {line["outcome"] for line in again.report}
            assert self.sandbox.writes == []
            assert outcomes <= {"unchanged", "rejected", "skipped", "superseded"}

    # How it is done

    def _run(
        self,
        *,
        complete: bool,
        faults: t.Any = (),
        edits: t.Any = (),
        end: tuple[str, str, int] | None = None,
    ) -> Run:
        """Run the target, and check what holds whatever happens."""
        config = {
            **self.settings,
            "reassigned_status": 7,
            "max_change_percent": 100,
            "allow_enrichment": True,
            "settle_seconds": SETTLE,
        }
        run = Run(config, dict(self.wanted), complete)
        self.clock.now += SETTLE  # rows are in their lists by now
        self.sandbox.writes.clear()
        self.sandbox.ledger.clear()
        for stream in STREAMS:
            rows = self.sandbox.tables[stream].rows
            run.before[stream] = {row["id"]: row[KEYS[stream]] for row in rows}
        with self._disturbed(faults, edits):
            self._execute(run, end)
        check_writes(self.sandbox)
        self._check_deletions(run)
        self._check_duplicates(run)
        self._check_attempts(faults)
        self._check_report(run)
        return run

    def _execute(self, run: Run, end: tuple[str, str, int] | None) -> None:
        path = self.directory / "report.jsonl"
        target = TargetInstantly(
            config=config_for(self.sandbox, report_path=str(path), **run.config)
        )
        messages = [
            message
            for stream, records in run.wanted.items()
            for message in (
                *part(stream, *records),
                *([activate(stream)] if run.complete else ()),
            )
        ]
        with self._ended(target, end), captured() as stdout:
            try:
                target.listen(text_of([*messages, state()]))
                run.exit_code = 0
            except SystemExit as error:
                run.exit_code = t.cast("int", error.code)
            except Killed:
                run.exit_code = -9
        target._report.close()  # noqa: SLF001 (as the end of the process does)
        run.states = [json.loads(line) for line in stdout.getvalue().splitlines()]
        lines = path.read_text("utf-8").split("\n")
        run.report = [json.loads(line) for line in lines if line]

    @contextlib.contextmanager
    def _disturbed(self, faults: t.Any, edits: t.Any) -> Iterator[None]:
        """Let requests fail, and others work."""
        given = {number: (kind, commits) for number, kind, commits in faults}
        numbers = iter(range(sys.maxsize))

        def handle(_: object) -> None:
            number = next(numbers)
            for when, stream, what, which in edits:
                if when == number:
                    self._others(stream, what, which)
            if number in given:
                kind, commits = given[number]
                fault = Fault.parse(f"/:{kind}x1")
                fault.path, fault.commits = "", commits and kind not in REFUSALS
                self.sandbox.faults = [fault]
            else:
                self.sandbox.heal()

        timeout = 0.2 if any(kind == "hang" for _, kind, _ in faults) else 60.0
        self.sandbox.on_request = handle
        sleeping = SimpleNamespace(sleep=self.clock.sleep)
        try:
            with (
                mock.patch.object(client, "READ_TIMEOUT", timeout),
                mock.patch.object(
                    Termination, "sleep", lambda _, seconds: self.clock.sleep(seconds)
                ),
                mock.patch("backoff._sync.time", sleeping),
            ):
                yield
        finally:
            self.sandbox.on_request = None
            self.sandbox.heal()

    @contextlib.contextmanager
    def _ended(
        self, target: TargetInstantly, end: tuple[str, str, int] | None
    ) -> Iterator[None]:
        """Send a signal when it is time."""
        if end is None:
            yield
            return
        name, what, last = end
        numbers = iter(range(sys.maxsize))
        most: list[int] = []

        def tick() -> None:
            if next(numbers) != last:
                return
            if name == "SIGKILL":
                target._report.close()  # noqa: SLF001 (a killed process says no more)
                target._report._file = None  # noqa: SLF001 (as above)
                raise Killed
            # A request that is about to leave is under way.
            most.append(len(self.sandbox.writes) + (what == "request"))
            target._handle_termination(signal.SIGTERM, None)  # noqa: SLF001 (as a signal does)

        def before(method: Callable[..., t.Any]) -> t.Any:
            def called(*args: t.Any, **options: t.Any) -> t.Any:
                tick()
                return method(*args, **options)

            return called

        def after(method: Callable[..., t.Any]) -> t.Any:
            def called(*args: t.Any, **options: t.Any) -> t.Any:
                try:
                    return method(*args, **options)
                finally:
                    tick()

            return called

        wrapped = {
            "line": (Report, "add", before),
            "request": (Client, "_send", before),
            "answer": (Client, "_send", after),
        }
        owner, method, wrap = wrapped[what]
        with mock.patch.object(owner, method, wrap(getattr(owner, method))):
            yield
        assert len(self.sandbox.writes) <= min(most, default=sys.maxsize)

    def _others(self, stream: str, what: str, which: int) -> None:
        if what == "add":
            self.add(stream, OTHERS[which % len(OTHERS)])
        elif what == "edit":
            self.edit(stream, which)
        else:
            self.delete(stream, which)

    # What is checked

    def _changes(self) -> Iterator[tuple[str, str, Json | None, Json | None]]:
        for write in self.sandbox.ledger:
            rows = zip(write.keys, write.before, write.after, strict=True)
            for key, before, after in rows:
                yield write.table, key, before, after

    def _check_deletions(self, run: Run) -> None:
        for stream, _, before, after in self._changes():
            if after is None:
                assert before is not None
                assert run.may_delete(stream, before[KEYS[stream]]), (stream, before)

    def _check_duplicates(self, run: Run) -> None:
        for stream in STREAMS:
            rows = self.sandbox.tables[stream].rows
            now = Counter(row[KEYS[stream]] for row in rows)
            then = Counter(run.before[stream].values())
            for key in NAMES:
                assert now[key] <= max(1, then[key]), (stream, key)

    def _check_attempts(self, faults: t.Any) -> None:
        """Nothing is sent a third time, unless it has certainly not arrived."""
        attempts = Counter((w.method, w.path, w.content) for w in self.sandbox.writes)
        refusals = sum(kind in ("400", "409", "429") for _, kind, _ in faults)
        assert max(attempts.values(), default=0) <= 2 + refusals

    def _check_report(self, run: Run) -> None:
        """Every line is true, also that of a run that was killed."""
        created = {key for _, key, before, _ in self._changes() if before is None}
        updated = {key for _, key, b, a in self._changes() if b and a}
        written = {(s, r[KEYS[s]]) for s, _, b, a in self._changes() if (r := a or b)}
        for line in run.report:
            stream, key, identity = line["stream"], line["key"], line["id"]
            outcome = line["outcome"]
            if outcome == "created":
                assert identity in created
            elif outcome == "updated":
                assert identity in updated
            elif outcome == "deleted":
                assert identity not in self.sandbox.tables[stream]
            elif outcome in ("unchanged", "skipped", "not attempted"):
                twins = [
                    o for o in run.report if (o["stream"], o["key"]) == (stream, key)
                ]
                assert len(twins) > 1 or (stream, key) not in written, line
        if run.exit_code == 0:
            assert run.states == [STATE]
            count = sum(len(records) for records in run.wanted.values())
            of_records = [line for line in run.report if not _is_extra(line, run)]
            assert len(of_records) == count
        else:
            assert run.states == []

    def _check_result(self, run: Run) -> None:
        """After a run without faults the workspace is what was wanted."""
        rejected = False
        for stream in run.wanted:
            rejected |= self._check_stream(run, stream)
        assert run.exit_code == rejected, run.report

    def _check_stream(self, run: Run, stream: str) -> bool:
        """Check a stream, and return whether any of its records must be rejected."""
        name, table = KEYS[stream], self.sandbox.tables[stream]
        held = Counter(run.before[stream].values())
        rejected = any(not record[name] for record in run.wanted[stream])
        renames = run.config["renames"].get(stream, {})
        protected = set()
        for key, record in run.last(stream).items():
            olds = [old for old, new in renames.items() if new == key != old]
            is_bad = held[key] > 1
            if not is_marked(record):
                protected |= {*olds}
                is_bad |= any(old in run.last(stream) for old in olds)
                is_bad |= any(
                    held[old] and (held[key] or held[old] > 1) for old in olds
                )
                is_bad |= record.get("interest_status_label") == "lukewarm"
            rejected |= is_bad
            if is_bad:
                continue
            rows = [row for row in table.rows if row[name] == key]
            if is_marked(record):
                is_asked = run.may_delete(stream, key)
                assert len(rows) == (held[key] and not is_asked), (stream, key)
                continue
            (row,) = rows
            for each, value in record.items():
                if each in (name, "_sdc_deleted_at"):
                    continue
                if value is not None or run.config["nulls"] == "clear":
                    assert row.get(each) == value
        if run.may_mirror(stream):
            left = {row[name] for row in table.rows}
            assert left <= {*run.last(stream)} | protected
        return rejected


def _names(stream: str) -> set[str]:
    return {KEYS[stream], *FIELDS[stream]}


def _is_extra(line: Json, run: Run) -> bool:
    """Tell a line of a row that no record names."""
    return line["key"] not in {
        record[KEYS[line["stream"]]] for record in run.wanted[line["stream"]]
    }


def test_nothing_is_written_twice(request: pytest.FixtureRequest) -> None:
    """Run the state machine; HYPOTHESIS_PROFILE=nightly runs it much more often."""
    sizes: t.Any = dict.fromkeys(
        ("labels", "lists", "tags", "blocked", "emails", "leads"), 0
    )
    Machine.clock = Clock()
    with (
        TemporaryDirectory() as directory,
        Sandbox(strict=True, clock=Machine.clock, **sizes) as Machine.sandbox,
    ):
        Machine.directory = Path(directory)
        run_machine(Machine, request, EXAMPLES, STEPS)
