"""What one endpoint takes and answers, and what it refuses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Kind = Literal[
    "string", "integer", "number", "boolean", "date", "date-time", "uuid", "object"
]

_DATE = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_PATTERNS = {
    "integer": re.compile(r"-?\d+"),
    "number": re.compile(r"-?\d+(?:\.\d+)?"),
    "boolean": re.compile("true|false"),
    "date": re.compile(_DATE),
    "date-time": re.compile(rf"{_DATE}(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?.*)?"),
}
_JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
}


class RefusedError(Exception):
    """A request that the API refuses with a status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        """Refuse with the HTTP status `status`."""
        super().__init__(message)
        self.status = status
        self.message = message


class BadRequestError(RefusedError):
    """A request that the API answers with status 400."""

    def __init__(self, message: str) -> None:
        """Say what is wrong with the request."""
        super().__init__(400, message)


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
    between: tuple[int, int] | None = None
    """The smallest and the largest number."""

    def objection(self, value: object) -> str:
        """Say what is wrong with a value, or nothing.

        Args:
            value: Text from a query, or any JSON value from a body.
        """
        if not self._fits(value):
            return f"must be {self.kind}"
        if self.choices and text(value) not in self.choices:
            return "must be equal to one of the allowed values"
        if self.between:
            low, high = self.between
            if not low <= float(text(value)) <= high:
                return f"must be from {low} to {high}"
        return ""

    def _fits(self, value: object) -> bool:
        kind = self.kind
        if not isinstance(value, str):
            wanted = _JSON_TYPES.get(kind, str)
            return isinstance(value, wanted) and (
                kind == "boolean" or not isinstance(value, bool)
            )
        if kind == "uuid":
            try:
                return str(UUID(value)) == value.lower()
            except ValueError:
                return False
        return kind not in _PATTERNS or bool(_PATTERNS[kind].fullmatch(value))


@dataclass(frozen=True)
class Call:
    """A permitted request, as an endpoint is given it."""

    path: Mapping[str, str] = field(default_factory=dict)
    """The placeholders of the path, decoded."""
    query: Mapping[str, list[str]] = field(default_factory=dict)
    """The query parameters as sent."""
    body: Mapping[str, Any] = field(default_factory=dict)
    """The JSON body of a POST; empty otherwise."""

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
        method: `GET` or `POST`.
        path: Below `/api/v2`, with placeholders: `/campaigns/{id}/sending-status`.
        answer: Returns what the body of the answer says, or its JSON as bytes.
        parameters: All documented query parameters.
        body: All documented fields of the JSON body of a POST.
    """

    method: str
    path: str
    answer: Callable[[Call], object]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    body: Mapping[str, Parameter] | None = None

    def check(self, call: Call, *, strict: bool) -> None:
        """Refuse a call that lacks what is required.

        Args:
            call: What was asked.
            strict: Whether to refuse as well what is not documented.

        Raises:
            BadRequestError: If the call is refused.
        """
        _check("querystring", self.parameters, call.query, strict=strict)
        _check("body", self.body or {}, call.body, strict=strict)


def text(value: object) -> str:
    """Write a JSON value the way a query would."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _check(
    where: str,
    known: Mapping[str, Parameter],
    given: Mapping[str, Any],
    *,
    strict: bool,
) -> None:
    for name, parameter in known.items():
        if parameter.required and not given.get(name):
            message = f"{where} must have required property '{name}'"
            raise BadRequestError(message)
    if not strict:
        return
    for name, value in given.items():
        parameter_or_none = known.get(name)
        if parameter_or_none is None:
            message = f"{where} must NOT have additional property {name}"
            raise BadRequestError(message)
        objection = _objection(where, parameter_or_none, value)
        if objection:
            message = f"{where}/{name} {objection}"
            raise BadRequestError(message)


def _objection(where: str, parameter: Parameter, value: object) -> str:
    if where == "body" and parameter.many != isinstance(value, list):
        return "must be array" if parameter.many else f"must be {parameter.kind}"
    values = value if isinstance(value, list) else [value]
    most = parameter.most if parameter.many else 1
    if most and len(values) > most:
        return f"must NOT have more than {most} items"
    return next(filter(None, map(parameter.objection, values)), "")
