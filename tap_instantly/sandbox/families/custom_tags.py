"""Custom tags, and the mailboxes and campaigns that bear them."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING

from tap_instantly.sandbox.families.filters import among, contains
from tap_instantly.sandbox.families.workspace import Family, Tables, Workspace
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.api import Call, Change, Endpoint, RefusedError, Row
from tap_instantly.sandbox.store.draws import NEWEST, Draw
from tap_instantly.sandbox.store.writer import Writer, is_taken

if TYPE_CHECKING:
    from collections.abc import Iterable

ACCOUNT, CAMPAIGN = 1, 2

_LABELS = ("EMEA", "Warm", "Agency: Nordics", "Pilot", "Do not pause", "Köln")

_FIELDS = {
    "label": api.Parameter(required=True, pattern=r".*\S.*", least=1),
    "description": api.OPTIONAL_TEXT,
}
_SOME = api.Parameter(many=True, least=1)
_TOGGLE = {
    "tag_ids": api.Parameter(required=True, many=True, least=1),
    "resource_type": api.one_of("1", "2", kind="number", required=True),
    "assign": api.Parameter("boolean", required=True),
    "resource_ids": _SOME,
    "excluded_resource_ids": _SOME,
    "selected_all": api.FLAG,
    "filter": api.Parameter("object"),
    "search": api.TEXT,
}


class CustomTags(Family):
    """Custom tags and their mappings."""

    def _new_tables(self) -> Tables:
        self._tags = self._workspace.new_table(
            lambda: [self._tag(number) for number in range(self._workspace.sizes.tags)],
            order="id-desc",
            filters={
                "search": contains("label"),
                "tag_ids": among("id"),
                "resource_ids": self._is_on,
            },
            make=self._tag,
        )
        self._mappings = self._workspace.new_table(
            self._first_mappings,
            cursor="timestamp",
            filters={"resource_ids": among("resource_id")},
            make=self._mapping_added,
        )
        return {
            "custom_tags": self._tags,
            "custom_tag_mappings": self._mappings,
        }

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        writer = Writer(
            self._tags,
            "/custom-tags",
            _FIELDS,
            switches=self._workspace.switches,
            complete=self._completed,
        )
        return [
            self._tags.endpoint(
                "/custom-tags", search=api.TEXT, resource_ids=api.TEXT, tag_ids=api.TEXT
            ),
            self._tags.detail("/custom-tags/{id}"),
            *writer.endpoints,
            writer.endpoint("POST", "/toggle-resource", self._toggle, **_TOGGLE),
            self._mappings.endpoint("/custom-tag-mappings", resource_ids=api.TEXT),
        ]

    def _completed(self, fields: Row, before: Row | None) -> Row:
        if is_taken(self._tags, _trimmed_label, fields, before):
            message = "A tag with this name already exists."
            raise RefusedError(409, message)
        if self._workspace.switches.trimmed_tags and "label" in fields:
            fields["label"] = fields["label"].strip()
        return fields

    def _toggle(self, call: Call) -> Row:
        """Assign tags to resources, or take them away; `selected_all` means all."""
        body = call.body
        kind = int(body["resource_type"])
        resources = call.all("resource_ids")
        if body.get("selected_all"):
            name = "accounts" if kind == ACCOUNT else "campaigns"
            resources = self._workspace.tables[name].keys
        elif not resources:
            message = "body must have required property 'resource_ids'"
            raise api.BadRequestError(message)
        excluded = call.all("excluded_resource_ids")
        for tag in body["tag_ids"]:
            self._tags.found(tag)
        for tag, resource in itertools.product(body["tag_ids"], resources):
            if resource not in excluded:
                self._assign(call, tag, resource, kind)
        return {"success": True}

    def _assign(self, call: Call, tag: str, resource: str, kind: int) -> None:
        name = self._mappings.name
        known = [
            row
            for row in self._mappings.having(_resource_of, resource)
            if row["tag_id"] == tag
        ]
        if call.body["assign"] and not known:
            row = self._mappings.add(
                tag_id=tag, resource_id=resource, resource_type=kind
            )
            call.changes.append(Change(name, row["id"], None, row))
        elif not call.body["assign"]:
            for row in known:
                self._mappings.delete(row["id"])
                call.changes.append(Change(name, row["id"], row, None))

    def _is_on(self, row: Row, resources: str) -> bool:
        return any(
            row["id"] in tags_of(self._workspace, resource)
            for resource in resources.split(",")
        )

    def _tag(self, number: int, added: int | None = None) -> Row:
        draw = self._workspace.draw("tag", number)
        identity = draw.uuid4()
        created = added or NEWEST - (30 + draw.below(300)) * timestamps.DAY
        turn, place = divmod(number, len(_LABELS))
        row = {
            "id": identity,
            "timestamp_created": timestamps.write(created),
            "timestamp_updated": timestamps.write(created),
            "organization_id": self._workspace.organization,
            "label": f"{_LABELS[place]} {turn + 1}" if turn else _LABELS[place],
        }
        if draw.once_in(2):
            row["description"] = "Set by hand."
        return row

    def _first_mappings(self) -> list[Row]:
        workspace = self._workspace
        count = max(1, workspace.sizes.tags)
        pairs = [
            (workspace.tag_ids[(number + further) % count], resource, kind)
            for kind, resources in (
                (ACCOUNT, workspace.mailboxes),
                (CAMPAIGN, workspace.campaign_ids),
            )
            for number, resource in enumerate(resources)
            for further in range(1 + number % 2)
            if workspace.tag_ids and number % 3
        ]
        return [
            self._mapping(number, NEWEST - (number + 1) * 7_919_000_000, *pair)
            for number, pair in enumerate(pairs)
        ]

    def _mapping(
        self, number: int, created: int, tag: str, resource: str, kind: int
    ) -> Row:
        return {
            "id": self._workspace.draw("mapping", number).uuid4(),
            "tag_id": tag,
            "resource_id": resource,
            "resource_type": kind,
            "timestamp_created": timestamps.write(created),
            "organization_id": self._workspace.organization,
        }

    def _mapping_added(self, number: int, created: int) -> Row:
        draw = Draw(number)
        tag = draw.of(self._tags.keys)
        mailbox = draw.of(self._workspace.tables["accounts"].keys or [""])
        return self._mapping(number, created, tag, mailbox, ACCOUNT)


def tags_of(workspace: Workspace, resource: str) -> set[str]:
    """Return the tags of a mailbox (by address) or a campaign (by id)."""
    mappings = workspace.tables["custom_tag_mappings"]
    return mappings.aggregate(_tags_by_resource).get(resource, set())


def _tags_by_resource(mappings: Iterable[Row]) -> dict[str, set[str]]:
    found = defaultdict(set)
    for row in mappings:
        found[str(row.get("resource_id"))].add(str(row.get("tag_id")))
    return dict(found)


def _trimmed_label(row: Row) -> str:
    return str(row.get("label")).strip()


def _resource_of(row: Row) -> str:
    return str(row.get("resource_id"))
