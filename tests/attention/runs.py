"""Runs of tap-attention and target-attention in this process."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import typing as t
from dataclasses import dataclass

from tap_instantly.attention.tap import TapAttention
from tap_instantly.attention.target import TargetAttention
from tests.conftest import UNLIMITED, Json, captured

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tap_instantly.attention.sandbox import Sandbox


@dataclass
class Run:
    """What a run has left behind.

    Attributes:
        messages: The lines of its stdout.
        log: What it has logged.
        failure: Why it failed, or with what exit code; None if it did not.
    """

    messages: list[Json]
    log: str
    failure: object = None

    def of(self, kind: str) -> list[Json]:
        """Return the messages of one type."""
        return [message for message in self.messages if message.get("type") == kind]

    @property
    def records(self) -> list[Json]:
        """The records."""
        return [message["record"] for message in self.of("RECORD")]


def config_for(sandbox: Sandbox, **settings: t.Any) -> Json:
    """Return the settings of a run against a sandbox."""
    return {
        "api_key": sandbox.key,
        "api_url": sandbox.url,
        "max_requests_per_minute": UNLIMITED,
        **settings,
    }


@contextlib.contextmanager
def logged() -> Iterator[io.StringIO]:
    """Collect what is logged."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    try:
        yield log
    finally:
        logging.getLogger().removeHandler(handler)


def read(sandbox: Sandbox, **settings: t.Any) -> Run:
    """Run the tap."""
    tap = TapAttention(config=config_for(sandbox, **settings))
    with logged() as log, captured() as stdout:
        tap.sync_all()
    lines = stdout.getvalue().splitlines()
    messages = [json.loads(line) for line in lines]
    return Run(messages, log.getvalue(), tap.stats["labels"].failure)


def write(sandbox: Sandbox, messages: Iterable[Json], **settings: t.Any) -> Run:
    """Run the target."""
    target = TargetAttention(config=config_for(sandbox, **settings))
    text = "".join(json.dumps(message) + "\n" for message in messages)
    failure: object = None
    with logged() as log, captured() as stdout:
        try:
            target.listen(io.StringIO(text))
        except SystemExit as end:
            failure = end.code
    lines = stdout.getvalue().splitlines()
    return Run([json.loads(line) for line in lines], log.getvalue(), failure)


def table(*records: Json) -> list[Json]:
    """Return the messages of some records."""
    return [
        {"type": "SCHEMA", "stream": "labels", "schema": {"properties": {}}},
        *({"type": "RECORD", "stream": "labels", "record": row} for row in records),
    ]


def report_of(path: Path) -> list[Json]:
    """Return the lines of a report."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
