"""The command: `python -m scripts.drift OPENAPI_FILE_OR_URL`.

Everything that differs is a line, `stream: what differs`. A line that is meant to be
stands in explained.json as it is printed, under its reason.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
import typing as t
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click
import requests

from tap_instantly.reading.substream import SubstreamStream
from tap_instantly.tap import TapInstantly

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from tap_instantly.reading.stream import InstantlyStream

Json = dict[str, t.Any]

Fields = dict[str, set[str]]
"""The types of what stands at each place, such as `.items[].id`.

`[]` leads to the items of an array, `{}` to the values of a map with free keys.
"""

EXPLAINED = Path(__file__).with_name("explained.json")

ROWS = {"warmup_analytics": (".email_date_data{}{}", ".aggregate_data{}")}
"""Where the rows stand of a stream that takes its answer apart itself."""

CURSOR = ".next_starting_after"


class DocumentError(click.ClickException):
    """A document that cannot be read."""

    exit_code = 2


@dataclass(frozen=True)
class Operation:
    """An endpoint: what can be sent, and whether it must be; what comes back."""

    parameters: dict[str, bool]
    answer: Fields


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
    named = schema.get("type", [])
    found = {named} if isinstance(named, str) else set(named)
    implied = {"properties": "object", "items": "array"}
    found |= {implied[word] for word in implied.keys() & schema.keys()}
    if schema.get("format") in {"date", "date-time"}:
        found = found - {"string"} | {schema["format"]}
    return found - {"null"}


def topmost(places: set[str]) -> list[str]:
    """Return the places that lie in no other of them."""
    inner = {p for p in places for other in places - {p} if is_within(p, other)}
    return sorted(places - inner)


def is_within(place: str, other: str) -> bool:
    """Tell whether a place is another one, or lies in it."""
    return place.startswith(other) and place[len(other) :][:1] in {"", ".", "[", "{"}


def differences(
    streams: Iterable[InstantlyStream], operations: dict[str, Operation]
) -> Iterator[str]:
    """Yield a line for everything that differs, stream by stream."""
    read = set()
    for stream in streams:
        name = endpoint(stream.http_method, stream.path)
        read.add(name)
        if name in operations:
            asked = compare_parameters(stream, operations[name].parameters)
            answered = compare_answer(stream, operations[name].answer)
            yield from (f"{stream.name}: {line}" for line in (*asked, *answered))
        else:
            yield f"{stream.name}: {name} is not documented"
    for name in sorted(operations.keys() - read):
        yield f"{name}: no stream reads it"


def compare_parameters(
    stream: InstantlyStream, parameters: dict[str, bool]
) -> Iterator[str]:
    """Yield what a stream asks otherwise than is documented."""
    sent = {*dict(stream.params), *dict(stream.newest_update_first)}
    if stream.data_selector.is_paged:
        sent |= stream.paginator_class.page_params("0").keys()
    if stream.datetime_filter is not None:
        sent |= {stream.datetime_filter.start_param, stream.datetime_filter.end_param}
    if isinstance(stream, SubstreamStream):
        sent |= {p.request_param for p in stream.parents if p.request_param}
    for name in sorted(sent - parameters.keys()):
        yield f"sends `{name}`, which is not documented"
    for name, is_required in parameters.items():
        if is_required and name not in sent:
            yield f"does not send `{name}`, which is required"


def compare_answer(stream: InstantlyStream, answer: Fields) -> Iterator[str]:
    """Yield what a stream reads otherwise than is documented."""
    at = f".{stream.data_selector.field}" if stream.data_selector.field else ""
    rows = ROWS.get(stream.name, (at + "[]" * stream.data_selector.many,))
    known = [*rows, CURSOR] if stream.data_selector.has_cursor else rows
    for place in known:
        if place not in answer:
            yield f"the answer has no `{place}`"
    beside = {
        place
        for place in answer
        if not any(is_within(place, k) or is_within(k, place) for k in known)
    }
    for place in topmost(beside):
        yield f"the answer has `{place}` beside the rows"
    if rows[0] in answer:
        theirs: Fields = defaultdict(set)
        for above, place in itertools.product(rows, answer):
            if place.startswith(f"{above}."):
                theirs[place.removeprefix(f"{above}.")] |= answer[place]
        ours = Document(stream.schema).fields().items()
        yield from compare_fields({place[1:]: f for place, f in ours if place}, theirs)


def compare_fields(ours: Fields, theirs: Fields) -> Iterator[str]:
    """Yield what differs between the fields of rows."""
    for place in topmost(theirs.keys() - ours.keys()):
        yield f"lacks `{place}` ({shown(theirs[place])})"
    for place in topmost(ours.keys() - theirs.keys()):
        yield f"`{place}` is not documented"
    for place in sorted(ours.keys() & theirs.keys()):
        if ours[place] != theirs[place]:
            there, here = shown(theirs[place]), shown(ours[place])
            yield f"`{place}` is documented as {there}, and {here} here"


def shown(found: set[str]) -> str:
    """Return types in words."""
    return " or ".join(sorted(found)) or "anything"


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


@click.command()
@click.argument("source", metavar="OPENAPI_FILE_OR_URL")
@click.option("--all", "is_all", is_flag=True, help="Show what is explained, too.")
@click.option(
    "--explained", default=str(EXPLAINED), help="File with what is meant to differ."
)
def main(source: str, explained: str, *, is_all: bool) -> None:
    """Report where the tap differs from Instantly's description of its API.

    That is an OpenAPI 3 document in JSON such as
    https://api.instantly.ai/openapi/api_v2.json. The exit code is 0 if all differences
    are explained, 1 if not, 2 if the document cannot be read.
    """
    tap = TapInstantly(config={"api_key": "none"})
    streams = t.cast("list[InstantlyStream]", list(tap.streams.values()))
    posts = {
        endpoint(s.http_method, s.path) for s in streams if s.http_method == "POST"
    }
    api = urlsplit(tap.config["api_url"]).path
    document, reasons = load(source), load(explained)
    try:
        operations = Document(document).operations(api, posts)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as why:
        msg = f"{source} is no OpenAPI 3 document ({type(why).__name__}: {why})"
        raise DocumentError(msg) from why
    whys = {line: reason for reason, lines in reasons.items() for line in lines}
    found = list(differences(streams, operations))
    for line in found:
        if line not in whys:
            click.echo(line)
        elif is_all:
            click.echo(f"{line} [{whys[line]}]")
    stale = [line for line in whys if line not in found]
    for line in stale:
        click.echo(f"{Path(explained).name}: there is no longer: {line}")
    unexplained = [line for line in found if line not in whys] + stale
    click.echo(f"{len(unexplained)} unexplained, {len(whys) - len(stale)} explained")
    sys.exit(bool(unexplained))


if __name__ == "__main__":
    main()
