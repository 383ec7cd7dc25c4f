"""The command: `python -m scripts.drift OPENAPI_FILE_OR_URL`.

Everything that differs is a line, `stream: what differs`, and for the bodies of writes
`sandbox: endpoint: what differs`. A line that is meant to be
stands in explained.json as it is printed, under its reason.
"""

from __future__ import annotations

import itertools
import sys
import typing as t
from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import click

from scripts.drift import bodies
from scripts.drift.document import (
    Document,
    DocumentError,
    Fields,
    Operation,
    endpoint,
    is_within,
    load,
    topmost,
)
from tap_instantly.reading.additional_fields import COLUMN
from tap_instantly.reading.substream import SubstreamStream
from tap_instantly.tap import TapInstantly

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_instantly.reading.stream import InstantlyStream

EXPLAINED = Path(__file__).with_name("explained.json")

ROWS = {"warmup_analytics": (".email_date_data{}{}", ".aggregate_data{}")}
"""Where the rows stand of a stream that takes its answer apart itself."""

CURSOR = ".next_starting_after"


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
        fields = Document(stream.schema).fields().items()
        ours = {place[1:]: each for place, each in fields if place}
        for either in (ours, theirs):
            either.pop(COLUMN, None)  # which is the tap's own
        yield from compare_fields(ours, theirs)


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


@click.command()
@click.argument("source", metavar="OPENAPI_FILE_OR_URL")
@click.option("--all", "is_all", is_flag=True, help="Show what is explained, too.")
@click.option(
    "--explained", default=str(EXPLAINED), help="File with what is meant to differ."
)
def main(source: str, explained: str, *, is_all: bool) -> None:
    """Report where tap and sandbox differ from Instantly's description of its API.

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
        documented = Document(document).bodies(api)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as why:
        msg = f"{source} is no OpenAPI 3 document ({type(why).__name__}: {why})"
        raise DocumentError(msg) from why
    whys = {line: reason for reason, lines in reasons.items() for line in lines}
    found = [
        *differences(streams, operations),
        *bodies.differences(bodies.of_sandbox(), documented),
        *bodies.differences(bodies.of_target(), documented),
    ]
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
