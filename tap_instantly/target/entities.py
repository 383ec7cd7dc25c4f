"""What can be written: the entities, their natural keys and their fields."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from tap_instantly.api.pages import OBJECT, PAGED, SURROGATE
from tap_instantly.api.vendor import INSTANTLY
from tap_instantly.reading.paginators import CursorPaginator

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_instantly.api.pages import RecordSelector
    from tap_instantly.api.vendor import Vendor
    from tap_instantly.reading.paginators import Paginator

DELETION_MARKER = "_sdc_deleted_at"

BOOLEANS = {"true": True, "false": False}
"""How a source that knows nothing but text, such as CSV, writes a boolean."""


def _as_it_is(value: t.Any) -> t.Any:  # noqa: ANN401 (JSON holds anything)
    return value


def trim(value: t.Any) -> t.Any:  # noqa: ANN401 (JSON holds anything)
    """Return a text without the blanks around it, any other value as it is."""
    return value.strip() if isinstance(value, str) else value


def fold(value: t.Any) -> t.Any:  # noqa: ANN401 (JSON holds anything)
    """Return a text in lower case and without blanks around it."""
    return value.strip().casefold() if isinstance(value, str) else value


@dataclass(frozen=True)
class Field:
    """A field that can be written.

    Attributes:
        name: Its name, in a record and in the API alike.
        kind: The type of its values in Python.
        is_nullable: Whether null is a value of it, or can be said in another way.
        cleared_by: The value that is sent for null.
        choices: The values it takes; any if there are none.
        is_required: Whether a new row must have it.
        normalize: Returns what two values have in common that are the same to the API.
        costs_credits: Whether `true` makes Instantly spend credits.
        max_length: How many characters a text may have; None for any number.
        members: The fields of the objects in a list that can be written; the first of
            them is required.
    """

    name: str
    kind: type = str
    is_nullable: bool = False
    cleared_by: t.Any = None
    choices: tuple[str, ...] = ()
    is_required: bool = False
    normalize: Callable[[t.Any], t.Any] = _as_it_is
    costs_credits: bool = False
    max_length: int | None = None
    members: tuple[str, ...] = ()

    def convert(self, value: t.Any) -> t.Any:  # noqa: ANN401 (JSON holds anything)
        """Return a value as the API takes it, if it is one in another spelling."""
        if value is None and self.is_nullable:
            return self.cleared_by
        if self.members and isinstance(value, list):
            return [self._convert_item(item) for item in value]
        if self.kind is bool and isinstance(value, str):
            return BOOLEANS.get(value.lower(), value)
        return value

    def _convert_item(self, item: t.Any) -> t.Any:  # noqa: ANN401 (JSON holds anything)
        if not isinstance(item, dict):
            return item
        return {name: item[name] for name in self.members if name in item}

    def objection(self, value: object) -> str:
        """Say what is wrong with a value, without repeating it; "" if nothing is."""
        if value is None:
            return "" if self.is_nullable else f"`{self.name}` cannot be null"
        if not isinstance(value, self.kind):
            return f"`{self.name}` must be {KINDS[self.kind]}"
        if isinstance(value, str):
            return self._objection_to_text(value)
        return self._objection_to_items(value) if isinstance(value, list) else ""

    def _objection_to_text(self, value: str) -> str:
        if SURROGATE.search(value):
            return f"`{self.name}` has half a character"
        if self.choices and value not in self.choices:
            choices = ", ".join(self.choices[:-1])
            return f"`{self.name}` must be {choices} or {self.choices[-1]}"
        if self.is_required and not value.strip():
            return f"`{self.name}` cannot be blank"
        if self.max_length and len(self.normalize(value)) > self.max_length:
            return f"`{self.name}` has more than {self.max_length} characters"
        return ""

    def _objection_to_items(self, items: list[t.Any]) -> str:
        for item in items:
            texts = list(item.values()) if isinstance(item, dict) else []
            if not texts or not isinstance(item.get(self.members[0]), str):
                what = f"a list of objects with a text `{self.members[0]}`"
                return f"`{self.name}` must be {what}"
            if any(isinstance(text, str) and SURROGATE.search(text) for text in texts):
                return f"`{self.name}` has half a character"
        return ""


KINDS: dict[type, str] = {str: "text", bool: "true or false", list: "a list"}


@dataclass(frozen=True)
class Bulk:
    """Endpoints that create and delete many rows at once.

    Attributes:
        create: The path that creates.
        values: The field of its body that lists the natural keys.
        delete: The path that deletes.
        ids: The field of its body that lists the ids.
        size: The most rows that a request names.
    """

    create: str
    values: str
    delete: str
    ids: str
    size: int = 1000


@dataclass(frozen=True)
class Entity:
    """A kind of rows that can be written.

    Attributes:
        stream: The name of its stream.
        path: The path that lists and creates; a row is below it, by its id.
        scope: What the scopes for it begin with.
        fields: What can be written, the natural key first.
        read_only: What our own streams have and nobody can write.
        noun: One of them, in words.
        watched: A number that leads point to, and that a write may change.
        reassigned_by: The field of a deletion that says where the leads of a row go.
        bulk: How many are written at once; None if each is written alone.
        list_selector: Where the rows are in a page of the list.
        answer_selector: Where the row is in what answers a write.
        vendor: The API that has them.
        id_field: The field of a row with its id.
        paginator_class: How the next page of the list is asked for.
        is_deletable: Whether a row can be deleted.
        rename_effect: What else a rename changes, in words. Such a row is renamed only
            if the settings ask for it.
    """

    stream: str
    path: str
    scope: str
    noun: str
    fields: tuple[Field, ...]
    read_only: frozenset[str]
    watched: str = ""
    reassigned_by: str = ""
    bulk: Bulk | None = None
    list_selector: RecordSelector = PAGED
    answer_selector: RecordSelector = OBJECT
    vendor: Vendor = INSTANTLY
    id_field: str = "id"
    paginator_class: type[Paginator] = CursorPaginator
    is_deletable: bool = True
    rename_effect: str = ""

    @property
    def key(self) -> Field:
        """The natural key."""
        return self.fields[0]

    def key_of(self, row: t.Mapping[str, t.Any]) -> str | None:
        """Return the natural key of a row, normalized; None if it has none."""
        value = self.key.normalize(row.get(self.key.name))
        return value if isinstance(value, str) and value.strip() else None

    @property
    def is_renamable(self) -> bool:
        """Whether the natural key of a row can be changed."""
        return self.bulk is None


COMMON = frozenset(
    {
        "id",
        "workspace_id",
        "organization_id",
        "timestamp_created",
        "additional_fields",
    }
)
"""What the rows of most entities have, and nobody can write."""

LEAD_LABELS = Entity(
    stream="lead_labels",
    path="/lead-labels",
    scope="lead-labels",
    noun="label",
    fields=(
        Field("label", is_required=True),
        Field(
            "interest_status_label",
            choices=("positive", "negative", "neutral"),
            is_required=True,
        ),
        Field("description", is_nullable=True),
        Field("use_with_ai", bool, is_nullable=True),
    ),
    read_only=COMMON | {"interest_status", "created_by", "access_grants"},
    watched="interest_status",
    reassigned_by="reassigned_status",
)
"""https://developer.instantly.ai/api-reference/leadlabel/create-lead-label"""

LEAD_LISTS = Entity(
    stream="lead_lists",
    path="/lead-lists",
    scope="lead_lists",
    noun="list",
    fields=(
        Field("name", is_required=True),
        Field("has_enrichment_task", bool, is_nullable=True, costs_credits=True),
        Field("owned_by", is_nullable=True, normalize=fold),
    ),
    read_only=COMMON,
)
"""https://developer.instantly.ai/api-reference/leadlist/create-lead-list"""

CUSTOM_TAGS = Entity(
    stream="custom_tags",
    path="/custom-tags",
    scope="custom_tags",
    noun="tag",
    fields=(
        Field("label", is_required=True, normalize=trim),
        Field("description", is_nullable=True),
    ),
    read_only=COMMON | {"timestamp_updated"},
)
"""https://developer.instantly.ai/api-reference/customtag/create-custom-tag"""

BLOCK_LIST_ENTRIES = Entity(
    stream="block_list_entries",
    path="/block-lists-entries",
    scope="block_list_entries",
    noun="entry",
    fields=(Field("bl_value", is_required=True, normalize=fold),),
    read_only=COMMON | {"is_domain"},
    bulk=Bulk(
        create="/block-lists-entries/bulk-create",
        values="bl_values",
        delete="/block-lists-entries/bulk-delete",
        ids="ids",
    ),
)
"""https://developer.instantly.ai/api-reference/blocklistentry"""

ENTITIES = (LEAD_LABELS, LEAD_LISTS, CUSTOM_TAGS, BLOCK_LIST_ENTRIES)
"""In the order in which they are written."""
