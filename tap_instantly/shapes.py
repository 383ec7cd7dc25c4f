"""What a page must look like for its rows to fit a schema as they are."""

from __future__ import annotations

import typing as t

import msgspec

from tap_instantly.records import PYTHON_TYPES, json_types

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_instantly.pages import Answer

DATE = (
    "(?!0000)[0-9]{4}-"
    "(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    "|(?:0[13-9]|1[0-2])-(?:29|30)"
    "|(?:0[13578]|1[02])-31)"
)
"""A day that there is, but for the 29th of February."""

TIME = (
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)

FORMATS = {"date": rf"^{DATE}\Z"}

DATE_TIME = rf"^{DATE}T{TIME}\Z"


class Shape:
    """The type of an answer whose rows need no fitting.

    A whole page is held against it at once, much faster than Python could look at each
    value. It says yes to less than what fits, never to more: of a page that it does not
    say yes to, the `Fitter` looks at each value.
    """

    def __init__(
        self, schema: dict[str, t.Any], answer: Answer, others: Iterable[str]
    ) -> None:
        """Prepare for one stream.

        Args:
            schema: The JSON Schema of its records.
            answer: Where the rows are in an answer.
            others: Fields that rows may have besides.
        """
        self._schema, self._answer = schema, answer
        self._others = set(others)
        self._decoder: msgspec.json.Decoder[t.Any] | None = None

    def allow(self, field: str) -> None:
        """Let rows have a further field, whatever it holds."""
        self._others.add(field)
        self._decoder = None

    def prepare(self) -> msgspec.json.Decoder[t.Any]:
        """Return what decodes answers of this shape."""
        decoder = self._decoder
        if decoder is None:
            decoder = self._decoder = msgspec.json.Decoder(self._type())
        return decoder

    def has(self, body: bytes) -> bool:
        """Tell whether the body of an answer is of this shape."""
        try:
            self.prepare().decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return False
        return True

    def _type(self) -> t.Any:  # noqa: ANN401 (a type)
        properties = self._schema.get("properties", {})
        fields = {name: _type(schema) for name, schema in properties.items()}
        fields |= dict.fromkeys(self._others - fields.keys(), t.Any)
        rows: t.Any = _struct(fields, is_closed=True)
        if self._answer.many:
            rows = list[rows]
        if self._answer.at is None:
            return rows
        return _struct({self._answer.at: rows}, is_closed=False)


def _type(schema: dict[str, t.Any]) -> t.Any:  # noqa: ANN401 (a type)
    """Return the type of what fits a schema as it is."""
    types: dict[str, t.Any]
    types = {
        name: t.Union[PYTHON_TYPES[name]]  # noqa: UP007 (of one or two)
        for name in json_types(schema)
    }
    if "properties" in schema and "object" in types:
        inner = {name: _type(each) for name, each in schema["properties"].items()}
        types["object"] = _struct(inner, is_closed=False)
    if "items" in schema and "array" in types:
        types["array"] = list[_type(schema["items"])]  # type: ignore[misc]  # made here
    if "format" in schema and "string" in types:
        pattern = FORMATS.get(schema["format"], DATE_TIME)
        types["string"] = t.Annotated[str, msgspec.Meta(pattern=pattern)]
    return t.Union[tuple(types.values())]  # noqa: UP007 (of as many as there are)


def _struct(fields: dict[str, t.Any], *, is_closed: bool) -> t.Any:  # noqa: ANN401 (made here)
    """Return the type of objects that have these fields, or some of them.

    Args:
        fields: Their types by their names, which may be no names of Python.
        is_closed: Whether there must be no others.
    """
    names = {f"field_{number}": name for number, name in enumerate(fields)}
    return msgspec.defstruct(
        "Fields",
        [
            (python, t.Union[kind, msgspec.UnsetType], msgspec.UNSET)  # noqa: UP007 (made here)
            for python, kind in zip(names, fields.values(), strict=True)
        ],
        rename=names,
        forbid_unknown_fields=is_closed,
        gc=False,
    )
