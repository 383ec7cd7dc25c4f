"""How close a run comes to what the API's limits allow."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from benchmarks import contenders
from benchmarks.measuring import FailedError, Messages, Spread, measure
from benchmarks.reporting import FAILED, Figure, Section
from benchmarks.serving import Served

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from benchmarks.plan import Plan

PER_SECOND, PER_MINUTE = 100, 6_000
LIMITS = {
    "requests_per_second": PER_SECOND,
    "requests_per_minute": PER_MINUTE,
    "emails_per_minute": 20,
}
REFUSED = 429
MANY, FEW = "16 at once", "8 at once, as by default"
SETTINGS: dict[str, dict[str, Any]] = {MANY: {"max_concurrency": 16}, FEW: {}}
MOST_OF_BUDGET = {MANY: 1.25}
TIMES_FASTER = {FEW: 6.0}


class Ids(Messages):
    """Collects the ids in the records of one stream."""

    def __init__(self, stream: str) -> None:
        """Begin with none."""
        super().__init__("RECORD", stream)
        self.found: list[str] = []

    @override
    def note(self, message: dict[str, Any]) -> None:
        self.found.append(message["record"]["id"])


def section(plan: Plan) -> Section:
    """Read a large workspace whose answers take a while and are limited."""
    result = Section(
        "Waiting",
        f"Every stream but `emails`, with {plan.rows:,} leads; each answer takes "
        f"{plan.latency:g} s, {PER_SECOND} requests a second are allowed and "
        f"{PER_MINUTE:,} a minute, and the tap may use them all. What the requests "
        "would take one by one is computed: their number times the seconds that a "
        "small one takes, measured just before.",
        (
            "settings",
            "wall, s",
            "requests",
            "the limits alone, s",
            "one by one, s",
            "429",
        ),
    )
    with Served(**plan.workspace()) as api:
        for name, settings in SETTINGS.items():
            _try(plan, api, name, settings, result)
    return result


def _try(
    plan: Plan, api: Served, name: str, settings: dict[str, Any], result: Section
) -> None:
    """Measure the tap with some settings, and note if that fails."""
    try:
        _run(plan, api, name, settings, result)
    except FailedError as error:
        plan.say(f"{name}: {error}")
        result.rows.append((name, FAILED, "", "", "", ""))


def _run(
    plan: Plan, api: Served, name: str, settings: dict[str, Any], result: Section
) -> None:
    """Run the tap once to warm up and then measure it."""
    streams = plan.streams or ("leads",)
    api.switch(latency=0.0, **dict.fromkeys(LIMITS))
    command = contenders.tap(plan, api.config(**settings), but=("emails",))
    plan.say(f"{name}, to warm up: {measure(command).wall:.1f} s")
    config = api.config(**{**settings, "max_requests_per_minute": PER_MINUTE})
    command = contenders.tap(plan, config, but=("emails",))
    walls, of_budget, faster, in_turn, refused, requests = [], [], [], [], 0, 0
    for _ in range(plan.long_rounds):
        api.switch(latency=plan.latency, **dict.fromkeys(LIMITS))
        each = api.seconds_a_request()
        api.let_a_minute_pass()
        api.statuses()
        api.switch(**LIMITS)
        leads = Ids("leads")
        run = measure(command, feed=leads)
        statuses = api.statuses()
        if "leads" in streams:
            _check(leads.found, plan.rows)
        requests = statuses.total()
        refused += statuses[REFUSED]
        walls.append(run.wall)
        of_budget.append(run.wall / (requests / PER_SECOND))
        in_turn.append(requests * each)
        faster.append(in_turn[-1] / run.wall)
        plan.say(f"{name}: {run.wall:.1f} s, {requests} requests")
    result.rows.append(
        (
            name,
            Spread.of(walls).written(".1f"),
            f"{requests:,}",
            f"{requests / PER_SECOND:.1f}",
            Spread.of(in_turn).written(".1f"),
            str(refused),
        )
    )
    if name in MOST_OF_BUDGET:
        label, most = f"{name}: wall, times the limits alone", MOST_OF_BUDGET[name]
        figure = Figure(label, Spread.of(of_budget), most, is_most=True)
        result.figures.append(figure)
    if name in TIMES_FASTER:
        label, least = f"{name}: times as fast as one by one", TIMES_FASTER[name]
        result.figures.append(Figure(label, Spread.of(faster), least))


def _check(ids: list[str], rows: int) -> None:
    """Expect so many leads, each once."""
    if len(ids) != rows or len({*ids}) != rows:
        message = f"{len(ids)} leads, {len({*ids})} of them distinct, not {rows}"
        raise FailedError(message)
