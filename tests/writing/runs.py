"""Runs of the target in this process, and what each of them leaves behind."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from tap_instantly.target.target import TargetInstantly
from tests.conftest import UNLIMITED, Json, captured

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tap_instantly.sandbox import Sandbox

LABELS, LISTS, TAGS, BLOCKED = STREAMS = (
    "lead_labels",
    "lead_lists",
    "custom_tags",
    "block_list_entries",
)

KEYS = {LABELS: "label", LISTS: "name", TAGS: "label", BLOCKED: "bl_value"}

STATE = {"bookmarks": {LABELS: {"replication_key_value": "2026-01-01"}}}

DELETED = "2026-01-01T00:00:00Z"


@dataclass
class Result:
    """What a run has left behind.

    Attributes:
        exit_code: How it ended.
        states: The lines of its stdout.
        stderr: What it has printed there, without the log.
        log: What it has logged.
        report: The lines of its report.
    """

    exit_code: int
    states: list[Json]
    stderr: str
    log: str
    report: list[Json] = field(default_factory=list)

    @property
    def outcomes(self) -> list[str]:
        """The outcomes of all records, as they were reported."""
        return [line["outcome"] for line in self.report]

    @property
    def counts(self) -> Counter[str]:
        """How many records came to which outcome."""
        return Counter(self.outcomes)

    def line(self, key: object) -> Json:
        """Return the only line about a natural key."""
        (line,) = [line for line in self.report if line["key"] == key]
        return line


def schema(stream: str, *fields: str) -> Json:
    """Return a SCHEMA."""
    properties: Json = {name: {} for name in fields}
    return {"type": "SCHEMA", "stream": stream, "schema": {"properties": properties}}


def record(stream: str, **values: t.Any) -> Json:
    """Return a RECORD."""
    return {"type": "RECORD", "stream": stream, "record": values}


def activate(stream: str) -> Json:
    """Return an ACTIVATE_VERSION."""
    return {"type": "ACTIVATE_VERSION", "stream": stream, "version": 1}


def table(stream: str, *records: Json) -> list[Json]:
    """Return the messages of a complete table."""
    return [*part(stream, *records), activate(stream)]


def part(stream: str, *records: Json) -> list[Json]:
    """Return the messages of some records."""
    return [schema(stream), *(record(stream, **values) for values in records)]


def label(name: t.Any, sentiment: t.Any = "positive", **values: t.Any) -> Json:
    """Return a record of a label."""
    return {"label": name, "interest_status_label": sentiment, **values}


def state(value: Json | None = None) -> Json:
    """Return a STATE."""
    return {"type": "STATE", "value": STATE if value is None else value}


def text_of(messages: Iterable[Json]) -> io.StringIO:
    """Return messages as a tap writes them."""
    return io.StringIO("".join(json.dumps(each) + "\n" for each in messages))


def config_for(sandbox: Sandbox, **settings: t.Any) -> Json:
    """Return the settings of a run against a sandbox."""
    return {
        "api_key": sandbox.key,
        "api_url": sandbox.url,
        "max_requests_per_minute": UNLIMITED,
        **settings,
    }


def run(
    sandbox: Sandbox, messages: Iterable[Json], path: Path, **settings: t.Any
) -> Result:
    """Run the target.

    Args:
        sandbox: Where it writes.
        messages: What it reads; a STATE comes last.
        path: Where its report goes.
        settings: Beside those that every run needs.
    """
    config = config_for(sandbox, report_path=str(path), **settings)
    target = TargetInstantly(config=config)
    log, stderr, code = io.StringIO(), io.StringIO(), 0
    handler = logging.StreamHandler(log)
    logger = logging.getLogger()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with captured() as stdout, contextlib.redirect_stderr(stderr):
            try:
                target.listen(text_of([*messages, state()]))
            except SystemExit as end:
                code = t.cast("int", end.code)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return Result(
        code,
        [json.loads(line) for line in stdout.getvalue().splitlines()],
        stderr.getvalue(),
        log.getvalue(),
        [json.loads(line) for line in lines],
    )
