"""What a client may ask of an endpoint, and what an endpoint answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Row = dict[str, Any]
"""A row of a list, or any other JSON object that an endpoint answers with."""
Kind = Literal[
    "string", "integer", "number", "boolean", "date", "date-time", "uuid", "object"
]


class RefusedError(Exception):
    """A request that the API refuses with a status and a sentence."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        """Refuse with the HTTP status `status` and the web framework's `code`."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


class BadRequestError(RefusedError):
    """A request that the API answers with status 400."""

    def __init__(self, message: str, code: str = "FST_ERR_VALIDATION") -> None:
        """Say what is wrong with the request."""
        super().__init__(400, message, code)


class NotFoundError(RefusedError):
    """A request about something that does not exist."""

    def __init__(self) -> None:
        """Say what the API says of everything that does not exist."""
        super().__init__(404, "Resource not found")


@dataclass(frozen=True)
class Parameter:
    """A documented query parameter, or field of a JSON body."""

    kind: Kind = "string"
    required: bool = False
    choices: tuple[str, ...] = ()
    """The values it takes, as text; none: any."""
    many: bool = False
    """May be repeated in the query, or is a list in the body."""
    most: int = 0
    """The largest number of values; 0: any number."""
    least: int = 0
    """The smallest number of values."""
    nullable: bool = False
    """Whether it may be null in a body."""
    pattern: str = ""
    """What text in a body must contain, as a regular expression."""
    between: tuple[int, int] | None = None
    """The smallest and the largest number."""


TEXT = Parameter()
UUID = Parameter("uuid")
OPTIONAL_TEXT = Parameter(nullable=True)
OPTIONAL_FLAG = Parameter("boolean", nullable=True)
FLAG = Parameter("boolean")
NUMBER = Parameter("number")
SORT_ORDER = Parameter(choices=("asc", "desc"))
WINDOW = dict.fromkeys(("start_date", "end_date"), Parameter("date-time"))
DAYS = dict.fromkeys(("from", "to"), Parameter("date"))


@dataclass(frozen=True)
class Change:
    """One row that a client has created, edited or deleted."""

    table: str
    key: str
    before: Row | None
    """None if it has been created."""
    after: Row | None
    """None if it has been deleted."""


@dataclass(frozen=True)
class Call:
    """A permitted request, as an endpoint is given it."""

    path: Mapping[str, str] = field(default_factory=dict)
    """The placeholders of the path, decoded."""
    query: Mapping[str, list[str]] = field(default_factory=dict)
    """The query parameters as sent."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """The JSON body; empty without one."""
    changes: list[Change] = field(default_factory=list)
    """What the endpoint has changed, in order."""

    def one(self, name: str, default: str = "") -> str:
        """Return the first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default

    def all(self, name: str) -> list[str]:
        """Return what the path, the query or the body says, each value as text."""
        if name in self.path:
            return [self.path[name]]
        if name in self.query:
            return self.query[name]
        value = self.body.get(name)
        if value is None:
            return []
        return (
            [text(one) for one in value] if isinstance(value, list) else [text(value)]
        )


@dataclass(frozen=True)
class Endpoint:
    """One method on one path.

    Args:
        method: The HTTP method.
        path: Below `/api/v2`, with placeholders: `/campaigns/{id}/sending-status`.
        answer: Returns what the body of the answer says, or its JSON as bytes.
        parameters: All documented query parameters.
        body: All documented fields of the JSON body.
        placeholders: What the placeholders of the path must be, if not any text.
        writes: Whether it changes rows; its body is then checked in any case.
    """

    method: str
    path: str
    answer: Callable[[Call], object]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    body: Mapping[str, Parameter] = field(default_factory=dict)
    placeholders: Mapping[str, Parameter] = field(default_factory=dict)
    writes: bool = False


def get(
    path: str, answer: Callable[[Call], object], /, **parameters: Parameter
) -> Endpoint:
    """Return an endpoint that takes parameters in its query."""
    return Endpoint("GET", path, answer, parameters)


def post(
    path: str, answer: Callable[[Call], object], /, **fields: Parameter
) -> Endpoint:
    """Return an endpoint that takes fields in its JSON body."""
    return Endpoint("POST", path, answer, body=fields)


def one_of(
    *choices: str, kind: Kind = "string", many: bool = False, required: bool = False
) -> Parameter:
    """Return a parameter that takes some values only."""
    return Parameter(kind, required, choices, many)


def text(value: object) -> str:
    """Write a JSON value the way a query would."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
