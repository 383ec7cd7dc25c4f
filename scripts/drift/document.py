"""What an OpenAPI document says of the endpoints of an API."""

from __future__ import annotations

import json
import re
import typing as t
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import click
import requests

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Json = dict[str, t.Any]

Fields = dict[str, set[str]]
"""The types of what stands at each place, such as `.items[].id`.

`[]` leads to the items of an array, `{}` to the values of a map with free keys.
"""


class DocumentError(click.ClickException):
    """A document that cannot be read."""

    exit_code = 2


@dataclass(frozen=True)
class Operation:
    """An endpoint: what can be sent, and whether it must be; what comes back."""

    parameters: dict[str, bool]
    answer: Fields


@dataclass(frozen=True)
class BodyField:
    """What a field of a JSON body must be."""

    types: set[str]
    """As JSON Schema calls them, `null` and `array of string` among them."""
    is_required: bool = False
    choices: set[str] = field(default_factory=set)
    """The values it takes; none: any."""
    items: tuple[int, int] = (0, 0)
    """The smallest and the largest number of items; 0: any."""

    def __str__(self) -> str:
        """Describe it in words."""
        least, most = self.items
        parts = [
            "required " * self.is_required
            + (" or ".join(sorted(self.types)) or "anything"),
            f"one of {', '.join(sorted(self.choices))}" if self.choices else "",
            f"at least {least}" if least else "",
            f"at most {most}" if most else "",
        ]
        return ", ".join(filter(None, parts))


Body = dict[str, BodyField]
"""The fields of a JSON body by name."""


class Document:
    """An OpenAPI document, or the JSON Schema of a stream."""

    def __init__(self, content: Json) -> None:
        """Take its content."""
        self._content = content

    def operations(self, api: str, posts: Collection[str]) -> dict[str, Operation]:
        """Return all GETs and some POSTs of an API, by endpoint."""
        if not self._content["openapi"].startswith("3."):
            raise ValueError(self._content["openapi"])
        found = {}
        for path, node in self._content["paths"].items():
            item = self._resolve(node)
            for method in item.keys() & {"get", "post"}:
                name = endpoint(method, path.removeprefix(api))
                if method == "get" or name in posts:
                    found[name] = self._operation(item, item[method])
        return found

    def bodies(self, api: str) -> dict[str, Body]:
        """Return the fields of the JSON bodies of an API, by endpoint."""
        return {
            endpoint(method, path.removeprefix(api)): self._body(item[method])
            for path, item in (
                (path, self._resolve(node))
                for path, node in self._content["paths"].items()
            )
            for method in item.keys() & {"post", "patch", "put", "delete"}
        }

    def _body(self, operation: Json) -> Body:
        schema = self._resolve(self._schema(operation.get("requestBody", {})))
        required = schema.get("required", ())
        return {
            name: self._body_field(self._resolve(node), is_required=name in required)
            for name, node in schema.get("properties", {}).items()
        }

    def _body_field(self, schema: Json, *, is_required: bool) -> BodyField:
        types_ = json_types(schema)
        if "array" in types_:
            items = " or ".join(sorted(json_types(self._resolve(schema["items"]))))
            types_ = types_ - {"array"} | {f"array of {items}"}
        return BodyField(
            types_,
            is_required,
            {str(choice) for choice in schema.get("enum", ()) if choice is not None},
            (schema.get("minItems", 0), schema.get("maxItems", 0)),
        )

    def _operation(self, item: Json, operation: Json) -> Operation:
        stated = [*item.get("parameters", ()), *operation.get("parameters", ())]
        parameters = {
            parameter["name"]: bool(parameter.get("required"))
            for parameter in map(self._resolve, stated)
            if parameter["in"] == "query"
        }
        body = self._resolve(self._schema(operation.get("requestBody", {})))
        for place in topmost(self.fields(body).keys() - {""}):
            parameters[place[1:]] = place[1:] in body.get("required", ())
        answers = sorted(operation["responses"].items())
        success: Json = next((node for code, node in answers if code[0] == "2"), {})
        return Operation(parameters, self.fields(self._schema(success)))

    def _schema(self, message: Json) -> Json:
        content: Json = self._resolve(message).get("content", {})
        schema: Json = content.get("application/json", {}).get("schema", {})
        return schema

    def fields(self, schema: Json | None = None) -> Fields:
        """Return all that a schema describes: the document itself unless told."""
        fields: Fields = defaultdict(set)
        for place, found in self._walk(self._content if schema is None else schema):
            fields[place] |= found
        return dict(fields)

    def _walk(
        self,
        schema: t.Any,  # noqa: ANN401 (a document may hold anything)
        place: str = "",
        above: tuple[str, ...] = (),
    ) -> Iterator[tuple[str, set[str]]]:
        if isinstance(schema, bool):  # anything, or nothing
            return
        yield place, types(schema)
        reference = schema.get("$ref")
        if reference and reference not in above:
            yield from self._walk(self._find(reference), place, (*above, reference))
        for word in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(word, ()):
                yield from self._walk(part, place, above)
        for name, inner in schema.get("properties", {}).items():
            yield from self._walk(inner, f"{place}.{name}", above)
        for word, sign in (("items", "[]"), ("additionalProperties", "{}")):
            if schema.get(word):
                yield from self._walk(schema[word], place + sign, above)

    def _resolve(self, node: Json) -> Json:
        return self._resolve(self._find(node["$ref"])) if "$ref" in node else node

    def _find(self, reference: str) -> Json:
        start, *steps = reference.split("/")
        if start != "#":
            raise ValueError(reference)
        found = self._content
        for step in steps:
            found = found[step.replace("~1", "/").replace("~0", "~")]
        return found


def endpoint(method: str, path: str) -> str:
    """Return the name of an endpoint, whatever its path calls what it leaves open."""
    return f"{method.upper()} {re.sub('{[^}]*}', '{}', path)}"


def types(schema: Json) -> set[str]:
    """Return the types that a schema itself names; null goes without saying."""
    found = json_types(schema)
    implied = {"properties": "object", "items": "array"}
    found |= {implied[word] for word in implied.keys() & schema.keys()}
    if schema.get("format") in {"date", "date-time"}:
        found = found - {"string"} | {schema["format"]}
    return found - {"null"}


def json_types(schema: Json) -> set[str]:
    """Return the types that a schema names, null included, and no formats."""
    named = schema.get("type", [])
    return {named} if isinstance(named, str) else set(named)


def topmost(places: set[str]) -> list[str]:
    """Return the places that lie in no other of them."""
    inner = {p for p in places for other in places - {p} if is_within(p, other)}
    return sorted(places - inner)


def is_within(place: str, other: str) -> bool:
    """Tell whether a place is another one, or lies in it."""
    return place.startswith(other) and place[len(other) :][:1] in {"", ".", "[", "{"}


def load(source: str) -> Json:
    """Return the JSON object that a file or URL holds, or raise a DocumentError."""
    try:
        if source.startswith(("http://", "https://")):
            # Instantly refuses the names of some HTTP libraries.
            headers = {"User-Agent": "tap-instantly"}
            answer = requests.get(source, headers=headers, timeout=60)
            answer.raise_for_status()
            content = json.loads(answer.content)
        else:
            content = json.loads(Path(source).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{source} cannot be read: {error}"
        raise DocumentError(msg) from error
    if not isinstance(content, dict):
        msg = f"{source} is no JSON object"
        raise DocumentError(msg)
    return content
