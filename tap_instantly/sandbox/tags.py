"""Custom tags, and the mailboxes and campaigns that bear them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tap_instantly.sandbox import instants
from tap_instantly.sandbox.data import NEWEST, Draw
from tap_instantly.sandbox.endpoints import Parameter
from tap_instantly.sandbox.instants import DAY
from tap_instantly.sandbox.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_instantly.sandbox.data import Row
    from tap_instantly.sandbox.endpoints import Endpoint
    from tap_instantly.sandbox.world import World

ACCOUNT, CAMPAIGN = 1, 2

_LABELS = ("EMEA", "Warm", "Agency: Nordics", "Pilot", "Do not pause", "Köln")


class Tags:
    """Custom tags and their mappings."""

    def __init__(self, world: World) -> None:
        """Belong to `world`."""
        self._world = world
        self._tags = Table(
            lambda: [self._tag(number) for number in range(world.sizes.tags)],
            order="id-desc",
            filters={
                "search": lambda row, text: text.casefold() in row["label"].casefold(),
                "tag_ids": lambda row, text: row["id"] in text.split(","),
                "resource_ids": self._is_on,
            },
            make=self._tag,
        )
        self._mappings = Table(
            self._first_mappings,
            cursor="timestamp",
            filters={
                "resource_ids": lambda row, text: row["resource_id"] in text.split(",")
            },
            make=self._mapping_added,
        )
        self.tables = {
            "custom_tags": self._tags,
            "custom_tag_mappings": self._mappings,
        }

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        some = Parameter()
        return [
            self._tags.endpoint(
                "/custom-tags", search=some, resource_ids=some, tag_ids=some
            ),
            self._mappings.endpoint("/custom-tag-mappings", resource_ids=some),
        ]

    def _is_on(self, row: Row, resources: str) -> bool:
        tags_of = self._world.tags_of.value
        return any(row["id"] in tags_of.get(one, ()) for one in resources.split(","))

    def _tag(self, number: int, instant: int | None = None) -> Row:
        draw = Draw(self._world.seed, "tag", number)
        identity = draw.uuid4()
        created = instant or NEWEST - (30 + draw.below(300)) * DAY
        turn, place = divmod(number, len(_LABELS))
        row = {
            "id": identity,
            "timestamp_created": instants.write(created),
            "timestamp_updated": instants.write(created),
            "organization_id": self._world.organization,
            "label": f"{_LABELS[place]} {turn + 1}" if turn else _LABELS[place],
        }
        if draw.once_in(2):
            row["description"] = "Set by hand."
        return row

    def _first_mappings(self) -> list[Row]:
        world = self._world
        count = max(1, world.sizes.tags)
        pairs = [
            (world.tag_ids[(number + further) % count], resource, kind)
            for kind, resources in (
                (ACCOUNT, world.mailboxes),
                (CAMPAIGN, world.campaign_ids),
            )
            for number, resource in enumerate(resources)
            for further in range(1 + number % 2)
            if world.tag_ids and number % 3
        ]
        return [
            self._mapping(number, NEWEST - (number + 1) * 7_919_000_000, *pair)
            for number, pair in enumerate(pairs)
        ]

    def _mapping(
        self, number: int, instant: int, tag: str, resource: str, kind: int
    ) -> Row:
        return {
            "id": Draw(self._world.seed, "mapping", number).uuid4(),
            "tag_id": tag,
            "resource_id": resource,
            "resource_type": kind,
            "timestamp_created": instants.write(instant),
            "organization_id": self._world.organization,
        }

    def _mapping_added(self, number: int, instant: int) -> Row:
        draw = Draw(number)
        tag = draw.of(self._tags.keys)
        mailbox = draw.of(self._world.tables["accounts"].keys)
        return self._mapping(number, instant, tag, mailbox, ACCOUNT)


def tags_of(mappings: Iterable[Row]) -> dict[str, set[str]]:
    """Return the tags of each mailbox (by address) and campaign (by id)."""
    found = defaultdict(set)
    for row in mappings:
        found[str(row.get("resource_id"))].add(str(row.get("tag_id")))
    return dict(found)
