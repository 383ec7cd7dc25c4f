"""What the API refuses of the bodies of writes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tap_instantly.sandbox.store.api import BadRequestError, RefusedError, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_instantly.sandbox.http.requests import Request
    from tap_instantly.sandbox.store.api import Endpoint, Parameter

_JSON = "application/json"
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "object": dict,
}


def read_body(endpoint: Endpoint, request: Request) -> Mapping[str, Any]:
    """Return the fields of the body of a write.

    Raises:
        RefusedError: If the body is no JSON, or not what the endpoint takes.
    """
    headers = {name.lower(): value for name, value in request.headers.items()}
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    body = None
    if request.content and media_type != _JSON:
        message = f"Unsupported Media Type: {media_type or 'undefined'}"
        raise RefusedError(415, message, "FST_ERR_CTP_INVALID_MEDIA_TYPE")
    if request.content:
        try:
            body = json.loads(request.content)
        except ValueError:
            message = f"Body is not valid JSON but content-type is set to '{_JSON}'"
            raise BadRequestError(message, "FST_ERR_CTP_INVALID_JSON_BODY") from None
    elif media_type == _JSON:
        message = f"Body cannot be empty when content-type is set to '{_JSON}'"
        raise BadRequestError(message, "FST_ERR_CTP_EMPTY_JSON_BODY")
    is_optional = request.method == "DELETE" and not request.content
    if body is None and (is_optional or not endpoint.body):
        return {}
    if not endpoint.body:
        message = "body must be null"
        raise BadRequestError(message)
    if not isinstance(body, dict):
        message = "body must be object"
        raise BadRequestError(message)
    return body


def check_written(known: Mapping[str, Parameter], given: Mapping[str, Any]) -> None:
    """Refuse a body that is not exactly as documented.

    Args:
        known: The documented fields.
        given: The fields of the body.

    Raises:
        BadRequestError: If the body is refused.
    """
    for name, parameter in known.items():
        if parameter.required and name not in given:
            message = f"body must have required property '{name}'"
            raise BadRequestError(message)
    for name, value in given.items():
        if name not in known:
            message = "body must NOT have additional properties"
            raise BadRequestError(message)
        objection = _objection_to(known[name], value)
        if objection:
            message = f"body/{name}{objection}"
            raise BadRequestError(message)


def _objection_to(parameter: Parameter, value: object) -> str:
    """Say what is wrong with a field, beginning with where, or nothing."""
    if not parameter.many:
        return _objection(parameter, value)
    if not isinstance(value, list):
        return " must be array"
    if len(value) < parameter.least:
        return f" must NOT have fewer than {parameter.least} items"
    if parameter.most and len(value) > parameter.most:
        return f" must NOT have more than {parameter.most} items"
    for number, item in enumerate(value):
        objection = _objection(parameter, item)
        if objection:
            return f"/{number}{objection}"
    return ""


def _objection(parameter: Parameter, value: object) -> str:
    if value is None and parameter.nullable:
        return ""
    if not _is_of(parameter.kind, value):
        also = ",null" if parameter.nullable else ""
        return f" must be {parameter.kind}{also}"
    if parameter.choices and text(value) not in parameter.choices:
        return " must be equal to one of the allowed values"
    if isinstance(value, str) and not parameter.many:
        if len(value) < parameter.least:
            return f" must NOT have fewer than {parameter.least} characters"
        if not re.search(parameter.pattern, value):
            return f' must match pattern "{parameter.pattern}"'
    return ""


def _is_of(kind: str, value: object) -> bool:
    if kind == "boolean" or isinstance(value, bool):
        return kind == "boolean" and isinstance(value, bool)
    return isinstance(value, _TYPES[kind])
