"""Nothing is lost, whatever happens to the list, the network or the run.

This is what the tap promises, and under which conditions:

- A row is visible from its `timestamp_created` on, and the server and the tap have the
  same clock, which may stop but never goes back. So no row appears that is older than
  the beginning of a run that has already read the list.
- At any time, the target has every row that is older than the bookmark. Rows at or
  after the bookmark come with the next run that completes.
- No more than 99 rows share a millisecond, because a timestamp cursor reaches no more.
  Lists in mixed order and lists with short pages have an id as their cursor: with a
  timestamp, the server itself would skip rows.
- Edits and deletions are seen by full refreshes, and not always by incremental runs.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import sys
import threading
import typing as t
from collections import Counter
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tap_instantly.sandbox import Sandbox
from tap_instantly.sandbox.store import timestamps
from tap_instantly.tap import TapInstantly
from tests.conftest import DEFAULT_STREAMS, UNLIMITED, Json, captured, catalog_of
from tests.state_machines import run_machine
from tests.target import Target, bookmark

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pytest
    from typing_extensions import Buffer

    from tap_instantly.sandbox.store.tables import Table
    from tap_instantly.signals import UninterruptedWriter

NewRows = tuple[str, int, int]
"""Rows to create: of which stream, how many, and how many milliseconds apart."""
Disturbance = tuple[str, Json, int, int | None]
"""A fault: of which stream, how, after how many requests, how often (None: always)."""

EXAMPLES = {"ci": 60, "nightly": 1_000}
STEPS = 25

PATHS = {"lead_labels": "/lead-labels", "lead_lists": "/lead-lists"}
MAX_TIES = 99
NO_ROWS: NewRows = "lead_labels", 0, 0

FATAL: list[Json] = [{"kind": k} for k in (400, 401, 402, 403, "html403", 404, 413)]
TRANSIENT: list[Json] = [
    *({"kind": kind} for kind in (429, 500, 502, 503, 504)),
    *({"kind": kind} for kind in ("refused", "reset", "truncate")),
    *({"kind": kind} for kind in ("not-json", "no-items", "items-null", "not-object")),
    {"body": b'{"items":['},
    {"body": b"?", "headers": {"Content-Encoding": "gzip"}},
    {"kind": 429, "headers": {"Retry-After": "7"}},
]

STREAMS = st.sampled_from(["lead_labels", "lead_labels", "lead_lists"])
GAPS = st.sampled_from([0, 0, 1, 2, 1_000, 60_000, 86_400_000])
COUNTS = st.integers(1, 3) | st.integers(60, MAX_TIES)
NEW_ROWS = st.tuples(STREAMS, COUNTS, GAPS)
DISTURBANCES = st.tuples(
    STREAMS,
    st.sampled_from(TRANSIENT) | st.sampled_from(FATAL),
    st.integers(0, 3),
    st.none() | st.integers(1, 3),
)
RUNS = {
    "meanwhile": st.lists(st.none() | NEW_ROWS, max_size=4),
    "disturbances": st.lists(DISTURBANCES, max_size=2, unique_by=lambda each: each[0]),
}
"""What happens during a run: rows created before each request, and faults."""
ENDS = st.tuples(st.integers(0, 250), st.booleans())
"""The line after which a run is killed, and whether it can write its state."""

KINDS = {
    "comparison": st.sampled_from(["strict", "inclusive"]),
    "end": st.sampled_from(["present", "absent", "null", "empty"]),
    "timestamps": st.sampled_from(["ms", "mixed"]),
}
BY_TIME = KINDS | {
    "order": st.sampled_from(["newest", "oldest"]),
    "cursor": st.just("timestamp"),
    "encoding": st.sampled_from(["z", "offset"]),
    "short_pages": st.none(),
}
BY_ID = KINDS | {
    "order": st.sampled_from(["newest", "oldest", "mixed"]),
    "cursor": st.just("id"),
    "encoding": st.sampled_from(["z", "symbols"]),
    "short_pages": st.none() | st.sampled_from([0, 1, 32, 39, 63, 73]),
}
"""The sandbox's switches; the first short page has 78, 26, 3, 2, 4 or 1 rows."""
LISTS = st.fixed_dictionaries(BY_TIME) | st.fixed_dictionaries(BY_ID)


class ClockedTap(TapInstantly):
    """The tap, with the clock of the state machine."""

    begin: t.ClassVar[int]
    initialized_at = property(lambda self: self.begin // timestamps.MILLISECOND)


class Output(io.BytesIO):
    """The tap's stdout, which may send it a signal while a line is written."""

    def __init__(self, tap: TapInstantly, last: int) -> None:
        """Send the signal after so many lines."""
        super().__init__()
        self.tap = tap
        self.left = last

    def write(self, lines: Buffer) -> int:
        """Count lines; the tap ends when it has written these."""
        is_over = self.left < 0
        self.left -= bytes(lines).count(b"\n")
        if self.left < 0 and not is_over:
            t.cast("UninterruptedWriter", self.tap.message_writer).end(143)
        return super().write(lines)


class Machine(RuleBasedStateMachine):
    """People who work in a workspace, the tap that reads it, and a target."""

    sandbox: t.ClassVar[Sandbox]
    sleeping = threading.Lock()

    def __init__(self) -> None:
        """Begin with empty lists, an empty target and no state."""
        super().__init__()
        self.sandbox.labels.reset()
        self.sandbox.lists.reset()
        self.now = timestamps.read("2026-01-01T00:00:00Z")
        self.rows: dict[str, dict[str, int]] = {stream: {} for stream in PATHS}
        self.ties: Counter[tuple[str, int]] = Counter()
        self.target = Target(PATHS)
        self.state: Json = {}

    # What people and the server do

    @initialize(kind=LISTS)
    def begin(self, kind: Json) -> None:
        """Begin with lists of some kind."""
        self.switch(kind)

    @rule(kind=LISTS)
    def switch(self, kind: Json) -> None:
        """Change the lists' order, cursor, comparison, end and pages."""
        for name, value in kind.items():
            setattr(self.sandbox, name, value)

    @rule(addition=NEW_ROWS)
    def create(self, addition: NewRows) -> None:
        """Create a few rows, or nearly a page of them, maybe within one millisecond."""
        stream, count, gap = addition
        for _ in range(count):
            self.now += gap * timestamps.MILLISECOND
            if self.ties[stream, self.now] == MAX_TIES:
                self.now += timestamps.MILLISECOND
            self.ties[stream, self.now] += 1
            row = self._listing(stream).add(created=timestamps.write(self.now))
            self.rows[stream][row["id"]] = self.now

    @precondition(lambda self: any(self.rows.values()))
    @rule(position=st.integers(0, 999))
    def edit(self, position: int) -> None:
        """Rename a row."""
        stream, key, _ = self._pick(position)
        field = "label" if stream == "lead_labels" else "name"
        self._listing(stream).edit(key, **{field: f"Renamed at {self.now}"})

    @precondition(lambda self: any(self.rows.values()))
    @rule(position=st.integers(0, 999))
    def delete(self, position: int) -> None:
        """Delete a row."""
        stream, key, _ = self._pick(position)
        self._listing(stream).delete(key)
        del self.rows[stream][key]

    # What the tap does

    @rule(run=st.fixed_dictionaries(RUNS), lookback=st.sampled_from([0, 0, 1]))
    def sync(self, run: Json, lookback: int) -> None:
        """Run incrementally."""
        self.state, _ = self._run(self.state, **run, lookback_days=lookback)

    @rule(run=st.fixed_dictionaries(RUNS), end=ENDS)
    def sync_until_killed(self, run: Json, end: tuple[int, bool]) -> None:
        """Run incrementally, and be killed."""
        self.state, _ = self._run(self.state, **run, end=end)

    @rule(run=st.fixed_dictionaries(RUNS), end=st.none() | ENDS)
    def refresh(self, run: Json, end: tuple[int, bool] | None) -> None:
        """Run a full refresh, later than the last: its timestamp is the version."""
        self.now += timestamps.MILLISECOND
        options: Json = {"is_full": True, "emit_activate_version_messages": True}
        self.state, complete = self._run(self.state, **run, end=end, **options)
        for stream in complete:
            keys = self.target.tables[stream].keys()
            assert keys <= self.rows[stream].keys()
            assert {(stream, key) for key in keys} <= self.target.arrived

    @precondition(lambda self: any(self.rows.values()))
    @rule(
        run=st.fixed_dictionaries(RUNS),
        end=st.none() | ENDS,
        positions=st.tuples(st.integers(0, 999), st.integers(0, 999)),
        is_full=st.booleans(),
    )
    def backfill(
        self,
        run: Json,
        end: tuple[int, bool] | None,
        positions: tuple[int, int],
        *,
        is_full: bool,
    ) -> None:
        """Read a window with a state of its own, twice if the first run is killed."""
        since, until = sorted(self._pick(position)[2] for position in positions)
        options: Json = {
            "window": (since, until + timestamps.MILLISECOND),
            "is_full": is_full,
            "emit_activate_version_messages": is_full,
        }
        state, complete = self._run({}, **run, end=end, **options)
        if len(complete) < len(PATHS):
            self._run(state, **options)

    @invariant()
    def nothing_older_than_the_bookmark_is_missing(self) -> None:
        """The target has all rows that the next run does not read again."""
        for stream, rows in self.rows.items():
            limit = bookmark(self.state, stream)
            due = {key for key, created in rows.items() if created < limit}
            assert due <= self.target.tables[stream].keys()

    def teardown(self) -> None:
        """End with an undisturbed run, unless the example has failed."""
        if sys.exc_info()[0] is None:
            self.state, complete = self._run(self.state)
            assert complete == PATHS.keys()

    # How it is done

    def _listing(self, stream: str) -> Table:
        return self.sandbox.labels if stream == "lead_labels" else self.sandbox.lists

    def _pick(self, position: int) -> tuple[str, str, int]:
        """Return the stream, the id and the timestamp of one of the rows."""
        rows = [(s, key, self.rows[s][key]) for s in PATHS for key in self.rows[s]]
        return rows[position % len(rows)]

    def _run(  # noqa: PLR0913 (all that a run depends on)
        self,
        state: Json,
        *,
        meanwhile: Iterable[NewRows | None] = (),
        disturbances: Iterable[Disturbance] = (),
        end: tuple[int, bool] | None = None,
        window: tuple[int, int] = (0, sys.maxsize),
        is_full: bool = False,
        **config: t.Any,
    ) -> tuple[Json, set[str]]:
        """Run the tap; return the state that arrives, and the complete streams."""
        begin = ClockedTap.begin = self.now
        due = {
            stream: {
                key for key, created in rows.items() if window[0] <= created < window[1]
            }
            for stream, rows in self.rows.items()
        }
        if window[0]:
            config["start_date"], config["end_date"] = map(timestamps.write, window)
        config["api_key"], config["api_url"] = self.sandbox.key, self.sandbox.url
        tap = ClockedTap(
            config={"max_requests_per_minute": UNLIMITED, **config},
            state=json.loads(json.dumps(state)),
            catalog=catalog_of(
                *DEFAULT_STREAMS, method="FULL_TABLE" if is_full else None
            ),
        )
        last, is_signal = end or (sys.maxsize, False)
        output = Output(tap, last if is_signal else sys.maxsize)
        with self._disturbed(meanwhile, disturbances), captured(output):
            try:
                tap.sync_all()
            except SystemExit:  # the signal, which `invoke` answers like this
                tap.state_writer.write_state(tap.state)
            tap.scheduler.join()
        lines = output.getvalue().decode().splitlines(keepends=True)
        is_cut = len(lines) > last
        if is_cut and not is_signal:
            lines[last:] = [lines[last][:-9]]
        before, state = state, self.target.load("".join(lines), state)
        for stream, key in self.target.arrived:
            row = self._listing(stream).get(key)
            assert self.target.tables[stream][key] == row
        if is_cut:
            return state, set()
        failed = {stream for stream, stats in tap.stats.items() if stats.failure}
        assert failed == self._expected_failures(disturbances)
        for stream in PATHS.keys() - failed:
            assert due[stream] <= self.target.tables[stream].keys()
            read = [self.rows[s][key] for s, key in self.target.arrived if s == stream]
            newest = 0 if is_full else min(max(read, default=0), begin)
            assert bookmark(state, stream) == max(bookmark(before, stream), newest)
        return state, PATHS.keys() - failed

    @contextlib.contextmanager
    def _disturbed(
        self, meanwhile: Iterable[NewRows | None], disturbances: Iterable[Disturbance]
    ) -> Iterator[None]:
        """Create rows while a run is paging, and let its requests fail."""
        additions = iter(meanwhile)
        self.sandbox.on_request = lambda _: self.create(
            next(additions, None) or NO_ROWS
        )
        self.sandbox.requests.clear()
        self.retries_until_back: float = 0
        for stream, fault, after, times in disturbances:
            if fault.get("kind") == "refused":
                self.retries_until_back += times or math.inf
            else:
                self.sandbox.fail(PATHS[stream], after=after, times=times, **fault)
        if self.retries_until_back:
            self.sandbox.stop()
        try:
            with mock.patch("time.sleep", self._sleep):
                yield
        finally:
            self.sandbox.heal()
            if self.retries_until_back:
                self.sandbox.start()

    def _sleep(self, seconds: float) -> None:
        """Take no time; after some waits for a retry, the server is back."""
        with self.sleeping:
            if seconds > 1 and self.retries_until_back:
                self.retries_until_back -= 1
                if not self.retries_until_back:
                    self.sandbox.start()

    def _expected_failures(self, disturbances: Iterable[Disturbance]) -> set[str]:
        """Return the streams that must have failed."""
        if self.retries_until_back:
            return set(PATHS)
        paths = Counter(request.path for request in self.sandbox.requests)
        return {
            stream
            for stream, fault, after, times in disturbances
            if paths["/api/v2" + PATHS[stream]] > after
            and fault.get("kind") != "refused"
            and (times is None or fault in FATAL)
        }


def test_nothing_is_lost(request: pytest.FixtureRequest) -> None:
    """Run the state machine; HYPOTHESIS_PROFILE=nightly runs it much more often."""
    with Sandbox(labels=0, lists=0, strict=True) as Machine.sandbox:
        run_machine(Machine, request, EXAMPLES, STEPS)
