"""The benchmark works, and lets its contenders do the same work."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

pytest.importorskip("benchmarks")  # no part of the source distribution

from benchmarks import (
    contenders,
    growth,
    memory,
    plotting,
    processing,
    reporting,
    requested,
    starting,
    waiting,
)
from benchmarks.measuring import Counter, FailedError, Spread, alternate, measure
from benchmarks.plan import Plan
from benchmarks.serving import Served
from tap_instantly.sandbox import Sandbox

if t.TYPE_CHECKING:
    from benchmarks.reporting import Section

Json = dict[str, t.Any]

ROWS = 300
NUMBER = re.compile(r"\d[\d,.]*\d|\d")
FEW = ("lead_labels", "leads", "campaign_sending_status")


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Return a plan that takes seconds."""
    return Plan(tmp_path, tmp_path, rounds=1, rows=ROWS, latency=0.01, streams=FEW)


class Lines:
    """Keeps all output."""

    def __init__(self) -> None:
        """Begin with none."""
        self.text = b""

    def __call__(self, chunk: bytes) -> None:
        """Keep a piece."""
        self.text += chunk

    def records(self, stream: str) -> list[Json]:
        """Return the records of a stream."""
        messages = map(json.loads, self.text.splitlines())
        found = [m for m in messages if m["type"] == "RECORD"]
        assert {m["stream"] for m in found} == {stream}
        return [m["record"] for m in found]


def with_same_zone(rows: list[Json]) -> list[Json]:
    """Return rows with all timestamps in the same format."""
    return [
        {
            name: value.replace("+00:00", "Z") if "timestamp" in name else value
            for name, value in row.items()
        }
        for row in rows
    ]


@pytest.mark.parametrize("stream", ["lead_labels", "campaigns"])
def test_contenders_write_what_the_api_has(plan: Plan, stream: str) -> None:
    """Row by row: the tap, the template's tap and the loop without an SDK."""
    name = "labels" if stream == "lead_labels" else stream
    with Served(labels=ROWS, campaigns=ROWS, lists=1, leads=1) as api:
        rows = api.rows(name)
        config = api.config()
        for command in (
            contenders.tap(plan, config, only=(stream,)),
            contenders.plain(plan, config, stream),
            contenders.bare(plan, config, stream),
        ):
            output = Lines()
            run = measure(command, feed=output)
            assert run.records == len(rows) == ROWS
            assert with_same_zone(output.records(stream)) == with_same_zone(rows)
        assert api.statuses().keys() == {200}


def cells(plan: Plan, section: Section) -> list[tuple[str, ...]]:
    """Check that a section shows what it has found, and return its rows."""
    written = section.written()
    for row in section.rows:
        assert len(row) == len(section.columns)
        assert reporting.FAILED not in row
        assert f"| {' | '.join(row)} |" in written
    for figure in section.figures:
        assert f"| {figure.name} |" in written
    for name in section.plots:
        assert "<svg" in (plan.out / name).read_text(encoding="utf-8")
        assert f"({name})" in written
    return section.rows


def number(cell: str) -> float:
    """Return the number that a cell begins with."""
    return float(cell.partition(" ")[0].replace(",", ""))


def test_processing(plan: Plan) -> None:
    """Three contenders have figures, and the two that need pip say so."""
    section = processing.section(plan)
    rows = {row[0]: row[1:] for row in cells(plan, section)}
    for name in ("tap-instantly", "plain", "bare"):
        for stream in ("lead_labels", "campaigns"):
            assert all(number(cell) > 0 for cell in rows[f"{name}, {stream}"])
    for name in ("airbyte", "dlt"):
        assert rows[f"{name}, lead_labels"][0] == contenders.NOT_INSTALLED
    assert len(section.figures) == 3
    assert len(section.plots) == 2


def test_waiting(plan: Plan) -> None:
    """Both settings have their figures, and with both every lead comes once."""
    section = waiting.section(plan)
    rows = {row[0]: row[1:] for row in cells(plan, section)}
    assert rows.keys() == waiting.SETTINGS.keys()
    assert all(number(cell) > 0 for row in rows.values() for cell in row[:-1])
    assert len(section.figures) == 2


def test_requests(plan: Plan) -> None:
    """Each stream, and all at once, has requests and records of both runs."""
    rows = cells(plan, requested.section(plan))
    assert {*FEW} < {row[0] for row in rows}
    for row in rows:
        first, second, records, again = map(number, row[1:])
        assert first >= second > 0
        assert records >= again


def test_start(plan: Plan) -> None:
    """Four commands have figures beside the import."""
    section = starting.section(plan)
    assert all(number(cell) > 0 for row in cells(plan, section) for cell in row[1:])
    assert len(section.figures) == len(section.rows) - 1 == 4


def test_memory(plan: Plan) -> None:
    """Few and many labels have figures, and so has the whole workspace."""
    rows = {row[0]: row[1:] for row in cells(plan, memory.section(plan))}
    assert number(rows["every stream but emails"][0]) > ROWS
    assert {"3 labels", "300 labels", "3,000 labels"} <= rows.keys()


def test_growth(plan: Plan) -> None:
    """Both lines have figures and are drawn."""
    section = growth.section(plan)
    read = [(row[0], number(row[1])) for row in cells(plan, section)]
    assert read == [
        *(("lead_labels", count) for count in (3, 30, 300, 3_000)),
        *(("campaign_sending_status", count) for count in (2, 3, 30)),
    ]
    assert len(section.figures) == len(section.plots) == 2


def test_plots_are_the_same_twice(tmp_path: Path) -> None:
    """Neither a date nor anything random is in them."""
    points = {"wall": [(1.0, 0.5), (10.0, 2.0)]}
    files = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for file in files:
        plotting.lines(file, "rows", points)
    one, other = (file.read_bytes() for file in files)
    assert one == other


def test_results(plan: Plan) -> None:
    """The file says when and where, and nothing of the machine's paths."""
    section = reporting.Section("Start", "Says.", ("command", "s"), [("x", "1")])
    versions = contenders.versions(plan)
    path = reporting.write([section], "benchmark --fast", versions, plan.out)
    text = path.read_text(encoding="utf-8")
    assert "Made by `benchmark --fast`" in text
    assert "| x | 1 |" in text
    assert "cores; tap-instantly 0" in text
    assert str(Path(sys.prefix)) not in text


def test_the_page_shows_the_results() -> None:
    """Every number of its tables is one of the file's."""
    root = Path(__file__).parents[1]
    results = (root / "benchmarks" / "results.md").read_text(encoding="utf-8")
    page = (root / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    cells = [line.split("|")[2:-1] for line in page.splitlines() if "|" in line]
    found = [text for row in cells for cell in row for text in NUMBER.findall(cell)]
    assert len(found) > 20
    assert not {*found} - {*NUMBER.findall(results)}


def test_failures(plan: Plan) -> None:
    """A contender that fails does not stop the others."""
    fails = [sys.executable, "-c", "import sys; sys.exit('no')"]
    works = [sys.executable, "-c", 'print(\'{"type":"RECORD"}\')']
    running = {
        "fails": contenders.expecting(1, fails),
        "writes too little": contenders.expecting(2, works),
        "works": contenders.expecting(1, works),
    }
    runs, failures = alternate(running, 2, plan.say)
    assert failures == {
        "fails": "exit code 1: no",
        "writes too little": "1 records, not 2",
    }
    assert [run.records for run in runs["works"]] == [1, 1]
    with pytest.raises(FailedError, match="outside"):
        measure([sys.executable, "-c", "import signal; signal.pause()"], longest=0)


def test_counter() -> None:
    """Messages are counted once, wherever the pieces end."""
    text = b'{"type":"RECORD"}\n{"type":"STATE"}\n{"type":"RECORD"}\n'
    for length in range(1, len(text)):
        counter = Counter()
        for start in range(0, len(text), length):
            counter(text[start : start + length])
        assert counter.count == 2


def test_spread() -> None:
    """The median comes first."""
    assert Spread.of([3.0, 1.0, 2.5]).written(".1f") == "2.5 (1.0 to 3.0)"


def test_command(tmp_path: Path) -> None:
    """`python -m benchmarks` writes a file."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", "--no-install", "--rounds=1"),
            *("--rows=20", "--only=start", f"--out={tmp_path}"),
        ],
        cwd=Path(__file__).parents[1],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "## Start" in done.stdout
    assert "## Start" in (tmp_path / "results.md").read_text(encoding="utf-8")


def test_sizes_are_known(plan: Plan) -> None:
    """The sandbox has all sizes that a workspace is given."""
    sandbox = Sandbox(**plan.workspace())
    assert len(sandbox.tables["leads"]) == ROWS
