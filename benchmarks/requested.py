"""How many requests each stream takes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from benchmarks import contenders
from benchmarks.measuring import FailedError, Messages, measure
from benchmarks.reporting import FAILED, Section
from benchmarks.serving import Served

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.plan import Plan

_ALL = "all of them in one run"
_PART = 10
"""One label and lead in so many of the plan's is enough to see the requests."""


class States(Messages):
    """Keeps the state that was written last."""

    def __init__(self) -> None:
        """Begin with an empty one."""
        super().__init__("STATE")
        self.last: dict[str, Any] = {}

    @override
    def note(self, message: dict[str, Any]) -> None:
        self.last = message["value"]


def section(plan: Plan) -> Section:
    """Run each stream alone, and again with the state that this gave."""
    leads = plan.share(_PART)
    sizes = {**plan.workspace(), "leads": leads, "labels": leads}
    result = Section(
        "Requests",
        "Each stream alone, with what it asks of others: "
        f"{describe_sizes(sizes)}. The second run is "
        "given the state of the first, and nothing has changed.",
        ("stream", "first run", "second run", "records", "records again"),
    )
    with Served(**sizes) as api:
        config = plan.file("requests-config.json", api.config())
        found = contenders.catalog(
            [contenders.program(plan)], config, only=plan.streams
        )
        streams = [one["tap_stream_id"] for one in found["streams"]]
        selections = {**{one: (one,) for one in streams}, _ALL: ()}
        result.rows.extend(read_all_twice(plan, api, selections))
    return result


def describe_sizes(sizes: Mapping[str, Any]) -> str:
    """Say how large a workspace is."""
    names = ("campaigns", "accounts", "lists", "leads", "labels", "emails")
    return ", ".join(f"{sizes[name]:,} {name}" for name in names)


def read_all_twice(
    plan: Plan, api: Served, selections: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, ...]]:
    """Run selections of streams twice; yield the row of each."""
    for name, chosen in selections.items():
        try:
            row = read_twice(plan, api, chosen)
        except FailedError as error:
            plan.say(f"{name}: {error}")
            row = (FAILED, "", "", "")
        plan.say(f"{name}: {' '.join(row)}")
        yield (name, *row)


def read_twice(plan: Plan, api: Served, chosen: tuple[str, ...]) -> tuple[str, ...]:
    """Run some streams twice; return requests and records of both runs."""
    state: dict[str, Any] | None = None
    requests, records = [], []
    for _ in range(2):
        states = States()
        api.statuses()
        command = contenders.tap(plan, api.config(), only=chosen, state=state)
        run = measure(command, feed=states)
        state = states.last
        requests.append(api.statuses().total())
        records.append(run.records)
    return tuple(f"{number:,}" for number in (*requests, *records))
