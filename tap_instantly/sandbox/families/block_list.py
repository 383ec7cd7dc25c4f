"""The block list: addresses and domains that get no mail."""

from __future__ import annotations

import re
from dataclasses import replace

from tap_instantly.sandbox.families.filters import contains
from tap_instantly.sandbox.families.workspace import Family, Tables
from tap_instantly.sandbox.store import api, timestamps
from tap_instantly.sandbox.store.api import Call, Endpoint, RefusedError, Row
from tap_instantly.sandbox.store.draws import NEWEST
from tap_instantly.sandbox.store.rows import LazyRows
from tap_instantly.sandbox.store.writer import Writer, is_taken

_ADDRESS_OR_DOMAIN = re.compile(r"(?:[^@\s]+@)?(?:[\w-]+\.)+[\w-]{2,}")
_FILTERS = {"domains_only": api.FLAG, "search": api.TEXT}
_MANY = api.Parameter(required=True, many=True, least=1, most=1000)


class BlockList(Family):
    """The block list."""

    def _new_tables(self) -> Tables:
        self._table = self._workspace.new_table(
            LazyRows(self._numbers, self._row, self._created),
            order="id-desc",
            filters={
                "domains_only": lambda row, value: row["is_domain"] or value != "true",
                "search": contains("bl_value"),
            },
            make=self._row,
        )
        return {"block_list_entries": self._table}

    def endpoints(self) -> list[Endpoint]:
        """Return what this family answers."""
        path = "/block-lists-entries"
        self._writer = Writer(
            self._table,
            path,
            {"bl_value": api.Parameter(required=True)},
            switches=self._workspace.switches,
            complete=self._completed,
        )
        return [
            self._table.endpoint(path, **_FILTERS),
            self._table.detail(f"{path}/{{id}}"),
            Endpoint(
                "POST",
                path,
                self._create,
                body={"bl_value": api.Parameter(required=True)},
                writes=True,
            ),
            self._writer.patch_endpoint,
            self._writer.delete_endpoint(),
            self._writer.endpoint(
                "POST", "/bulk-create", self._create_many, bl_values=_MANY
            ),
            self._writer.endpoint("POST", "/bulk-delete", self._delete_many, ids=_MANY),
            Endpoint("DELETE", path, self._delete_matching, _FILTERS, writes=True),
        ]

    def _completed(self, fields: Row, before: Row | None) -> Row:
        value = fields["bl_value"]
        refuses = self._workspace.switches.duplicate_entries == "invalid"
        if not _ADDRESS_OR_DOMAIN.fullmatch(value) or (
            refuses and is_taken(self._table, _folded_value, fields, before)
        ):
            message = "bl_value must be an email or domain that is not blocked yet"
            raise RefusedError(400, message)
        return {**fields, "is_domain": "@" not in value}

    def _create(self, call: Call) -> Row:
        fields = {"bl_value": call.body["bl_value"]}
        return self._existing(fields) or self._writer.create(call, fields)

    def _create_many(self, call: Call) -> Row:
        values = call.body["bl_values"]
        entries = [self._entry(call, value) for value in values]
        items = [entry for entry in entries if entry]
        return {
            "items": items,
            "valid_count": len(items),
            "invalid_count": len(values) - len(items),
        }

    def _entry(self, call: Call, value: str) -> Row | None:
        """Block a value and return its entry, or None for a value that is invalid."""
        try:
            return self._create(replace(call, body={"bl_value": value}))
        except RefusedError:
            return None

    def _existing(self, fields: Row) -> Row | None:
        """Return the entry that answers for a value that is blocked already."""
        if self._workspace.switches.duplicate_entries != "existing":
            return None
        return next(
            iter(self._table.having(_folded_value, _folded_value(fields))), None
        )

    def _delete_many(self, call: Call) -> list[Row]:
        known = [key for key in dict.fromkeys(call.body["ids"]) if key in self._table]
        return [self._writer.delete(call, key) for key in known]

    def _delete_matching(self, call: Call) -> list[Row]:
        keys = [row["id"] for row in self._table.matching(call)]
        return [self._writer.delete(call, key) for key in keys]

    def _numbers(self) -> dict[str, int]:
        """Return the number of each entry that there is to begin with."""
        draw = self._workspace.draw
        return {
            draw("blocked", number, "id").uuid4(): number
            for number in range(self._workspace.sizes.blocked)
        }

    def _row(self, number: int, created: int | None = None) -> Row:
        draw = self._workspace.draw("blocked", number)
        is_domain = draw.once_in(2)
        place = f"blocked{number}.example.{draw.of(('com', 'net', 'org'))}"
        age = draw.below(700 * 24 * 3600)
        if created is None:
            created = NEWEST - age * timestamps.SECOND
        return {
            "id": self._workspace.draw("blocked", number, "id").uuid4(),
            "timestamp_created": timestamps.write(created),
            "organization_id": self._workspace.organization,
            "bl_value": place if is_domain else f"stop+{number}@{place}",
            "is_domain": is_domain,
        }

    def _created(self, number: int) -> int:
        return timestamps.read(self._row(number)["timestamp_created"])


def _folded_value(row: Row) -> str:
    return str(row.get("bl_value")).casefold()
