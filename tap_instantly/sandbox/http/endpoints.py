"""What an endpoint refuses before it answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tap_instantly.sandbox.http.bodies import check_written
from tap_instantly.sandbox.store.api import BadRequestError, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_instantly.sandbox.store.api import Call, Endpoint, Parameter

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


def check(endpoint: Endpoint, call: Call, *, strict: bool) -> None:
    """Refuse a call that lacks what is required.

    Args:
        endpoint: What is asked.
        call: What it is asked.
        strict: Whether to refuse as well what is not documented.

    Raises:
        BadRequestError: If the call is refused.
    """
    for name, parameter in endpoint.placeholders.items():
        if not _is_of_kind(parameter.kind, call.path[name]):
            message = f'params/{name} must match format "{parameter.kind}"'
            raise BadRequestError(message)
    _check_fields("querystring", endpoint.parameters, call.query, strict=strict)
    if endpoint.writes:
        check_written(endpoint.body, call.body)
    else:
        _check_fields("body", endpoint.body, call.body, strict=strict)


def _check_fields(
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
        documented = known.get(name)
        if documented is None:
            message = f"{where} must NOT have additional property {name}"
            raise BadRequestError(message)
        objection = _objection_to_field(where, documented, value)
        if objection:
            message = f"{where}/{name} {objection}"
            raise BadRequestError(message)


def _objection_to_field(where: str, parameter: Parameter, value: object) -> str:
    if where == "body" and parameter.many != isinstance(value, list):
        return "must be array" if parameter.many else f"must be {parameter.kind}"
    values = value if isinstance(value, list) else [value]
    most = parameter.most if parameter.many else 1
    if most and len(values) > most:
        return f"must NOT have more than {most} items"
    return next(filter(None, (_objection(parameter, one) for one in values)), "")


def _objection(parameter: Parameter, value: object) -> str:
    """Say what is wrong with a value, or nothing.

    Args:
        parameter: What it is a value of.
        value: Text from a query, or any JSON value from a body.
    """
    if not _is_of_kind(parameter.kind, value):
        return f"must be {parameter.kind}"
    if parameter.choices and text(value) not in parameter.choices:
        return "must be equal to one of the allowed values"
    if parameter.between:
        low, high = parameter.between
        number = float(text(value))
        if number < low:
            return f"must be >= {low}"
        if number > high:
            return f"must be <= {high}"
    return ""


def _is_of_kind(kind: str, value: object) -> bool:
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
