"""The picture of the main tables: boxes in columns, and a line for each join."""

from __future__ import annotations

import typing as t
from collections import defaultdict
from dataclasses import dataclass, field
from html import escape

from scripts.docs.tables import Join, joins, tables

if t.TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = (
    (
        "lead_lists",
        "lead_list_verification_stats",
        "leads",
        "lead_labels",
        "block_list_entries",
        "webhooks",
        "webhook_events",
        "audit_logs",
        "api_keys",
    ),
    (
        "emails",
        "campaigns",
        "campaign_analytics",
        "campaign_analytics_daily",
        "campaign_analytics_steps",
        "subsequences",
        "subsequence_analytics",
        "ai_agents",
        "background_jobs",
        "workspace_billing_plan_details",
    ),
    (
        "accounts",
        "account_analytics_daily",
        "warmup_analytics",
        "account_campaign_mappings",
        "inbox_placement_tests",
        "inbox_placement_analytics",
        "custom_tags",
        "custom_tag_mappings",
        "workspace",
        "workspace_members",
        "workspace_billing_subscriptions",
    ),
)
"""Where the thirty tables stand, from left to right and from top to bottom.

Tables that are joined stand in one column, or in columns side by side.
"""

NOT_DRAWN = ("workspace", "workspace_members")
"""Tables to which nearly all others join."""

COLOURS = {
    "accounts": "#2e8540",
    "ai_agents": "#8a6d00",
    "api_keys": "#5c6670",
    "campaigns": "#1f5fbf",
    "custom_tags": "#b5379b",
    "emails": "#7a4a21",
    "inbox_placement_tests": "#00798c",
    "lead_labels": "#c62828",
    "lead_lists": "#6a3fb5",
    "leads": "#d2691e",
    "subsequences": "#0f8f77",
    "webhooks": "#4a5a1f",
}
"""The colour of each table that others join to, and of the lines to it."""

WIDTH, ROW, HEADER, GAP = 234, 18, 23, 18
LANE, MARGIN, TOP = 9, 20, 62
TEXT = "#24292f"
LEGEND = (
    "A line leads from a column to the table that it joins to, in that table's colour.",
    "Bold: the key. Not drawn: what nearly all join to, workspace and its members.",
)
FONT = "font-family='Helvetica, Arial, sans-serif'"


@dataclass
class Box:
    """A table in the picture.

    Attributes:
        name: The table.
        column: Where it stands, from the left.
        y: Its top.
        rows: The columns that are shown.
        joins: The joins of those columns that are drawn.
    """

    name: str
    column: int
    y: int
    rows: list[str]
    joins: list[Join]

    @property
    def height(self) -> int:
        """How high it is."""
        return HEADER + ROW * len(self.rows) + 5

    def y_of(self, column: str) -> int:
        """Return the middle of a row."""
        return self.y + HEADER + ROW * self.rows.index(column) + ROW // 2 + 2


@dataclass
class Picture:
    """Boxes, and the gutters between their columns.

    All lines to a table share one lane in each gutter that they pass.
    """

    boxes: dict[str, Box] = field(default_factory=dict)
    lanes: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))

    def left(self, column: int) -> int:
        """Return where a column of boxes begins."""
        gutters = sum(self.gutter(number) for number in range(column + 1))
        return gutters + column * WIDTH

    def gutter(self, number: int) -> int:
        """Return how wide the gutter before a column is."""
        return 2 * MARGIN + LANE * len(self.lanes.get(number, ()))

    def lane(self, number: int, target: str) -> int:
        """Return where the lines to a table run in a gutter."""
        begin = self.left(number) - self.gutter(number) + MARGIN + LANE // 2
        return begin + LANE * self.lanes[number].index(target)

    def gutter_of(self, join: Join) -> int:
        """Return the gutter that a line passes."""
        columns = [self.boxes[name].column for name in (join.table, join.to_table)]
        is_last = min(columns) == len(COLUMNS) - 1
        return len(COLUMNS) if is_last else max(columns)

    def side(self, box: Box, gutter: int) -> int:
        """Return the side of a box that is at a gutter."""
        return self.left(box.column) + (WIDTH if gutter > box.column else 0)


def picture() -> Picture:
    """Return the tables with their places."""
    found = Picture()
    names = {name for column in COLUMNS for name in column}
    drawn = [
        join
        for join in joins()
        if join.table in names and join.to_table in names - {*NOT_DRAWN}
    ]
    for number, column in enumerate(COLUMNS):
        y = TOP
        for name in column:
            own = [join for join in drawn if join.table == name]
            ends = [join.to_column for join in drawn if join.to_table == name]
            rows = [*tables()[name].key_fields, *ends, *(join.column for join in own)]
            box = Box(name, number, y, [*dict.fromkeys(rows)], own)
            found.boxes[name] = box
            y += box.height + GAP
    for join in drawn:
        lanes = found.lanes[found.gutter_of(join)]
        if join.to_table not in lanes:
            lanes.append(join.to_table)
    return found


def svg() -> Iterator[str]:
    """Yield the lines of the picture."""
    found = picture()
    width = found.left(len(COLUMNS))
    height = max(box.y + box.height for box in found.boxes.values()) + MARGIN
    yield (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' "
        f"width='{width}' height='{height}' role='img' {FONT}>"
    )
    yield "<title>The main thirty tables and what joins them</title>"
    yield f"<rect width='{width}' height='{height}' fill='#ffffff'/>"
    for number, line in enumerate(LEGEND):
        yield (
            f"<text x='{MARGIN}' y='{24 + 18 * number}' font-size='13' "
            f"fill='{TEXT}'>{line}</text>"
        )
    for box in found.boxes.values():
        for join in box.joins:
            yield _line(found, join)
    for box in found.boxes.values():
        yield from _drawn(found, box)
    yield "</svg>"


def _line(found: Picture, join: Join) -> str:
    source, target = found.boxes[join.table], found.boxes[join.to_table]
    gutter = found.gutter_of(join)
    lane = found.lane(gutter, join.to_table)
    x, to_x = found.side(source, gutter), found.side(target, gutter)
    y, to_y = source.y_of(join.column), target.y_of(join.to_column)
    colour = COLOURS[join.to_table]
    return (
        f"<polyline points='{x},{y} {lane},{y} {lane},{to_y} {to_x},{to_y}' "
        f"fill='none' stroke='{colour}' stroke-width='1.5'/>"
        f"<circle cx='{x}' cy='{y}' r='3' fill='{colour}'/>"
        f"<path d='{_arrow(to_x, to_y, lane)}' fill='{colour}'/>"
    )


def _arrow(x: int, y: int, origin: int) -> str:
    side = -7 if origin < x else 7
    return f"M{x},{y} l{side},-4 l0,8 z"


def _drawn(found: Picture, box: Box) -> Iterator[str]:
    x, colour = found.left(box.column), COLOURS.get(box.name, "#57606a")
    yield (
        f"<rect x='{x}' y='{box.y}' width='{WIDTH}' height='{box.height}' rx='4' "
        f"fill='#ffffff' stroke='{colour}' stroke-width='1.4'/>"
        f"<rect x='{x}' y='{box.y}' width='{WIDTH}' height='{HEADER}' rx='4' "
        f"fill='{colour}'/>"
        f"<text x='{x + 8}' y='{box.y + 15}' font-size='12' font-weight='bold' "
        f"fill='#ffffff'>{escape(box.name)}</text>"
    )
    keys = tables()[box.name].key_fields
    targets = {join.column: join.to_table for join in box.joins}
    for row in box.rows:
        weight = "bold" if row in keys else "normal"
        fill = COLOURS.get(targets.get(row, ""), TEXT)
        yield (
            f"<text x='{x + 10}' y='{box.y_of(row) + 4}' font-size='11' "
            f"font-weight='{weight}' fill='{fill}'>{escape(row)}</text>"
        )
