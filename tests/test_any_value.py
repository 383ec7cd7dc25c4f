"""Any value may come at any place of a row, and nothing that came is lost."""

from __future__ import annotations

import json
import os
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_instantly.api.pages import Page
from tap_instantly.incremental import parse_timestamp
from tap_instantly.reading.additional_fields import is_secret, prune
from tap_instantly.streams import STREAMS
from tests.conftest import Json, remove_waits
from tests.recording import Recording, recording_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator


EXAMPLES = {"ci": 5, "nightly": 300}
"""How many odd values are put into each stream."""

NAMES = [stream.name for stream in STREAMS]

COLUMN = "additional_fields"


@pytest.fixture(scope="module", autouse=True)
def _no_waits() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        remove_waits(patch)
        yield


names = st.text(max_size=6) | st.sampled_from(["id", "a.b", '"', "\ud83d", COLUMN])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec=None), max_size=8),
    st.sampled_from(
        [
            "",
            "5",
            "true",
            "text",
            10**400,
            "9" * 400,
            "[" * 3_000,
            "2026-02-29",
            "2026-01-31T08:00:00+00:00:30",
            "2026-01-31 08:00",
            "9999-12-31T24:00:00Z",
        ]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def places(draw: st.DrawFn, recording: Recording) -> list[str | int]:
    """Return a place in a row, at the top or nested."""
    holder: t.Any = recording.row
    known = ["novel", COLUMN, *recording.fields]
    path: list[str | int] = [draw(st.sampled_from(known))]
    while (holder := _get(holder, path[-1])) and draw(st.booleans()):
        if isinstance(holder, dict):
            path.append(draw(st.sampled_from(sorted(holder)) | st.just("novel")))
        elif isinstance(holder, list):
            path.append(draw(st.integers(0, len(holder) - 1)))
        else:
            break
    return path


def _get(holder: t.Any, step: str | int) -> t.Any:
    return holder.get(step) if isinstance(holder, dict) else holder[t.cast("int", step)]


def is_found(  # noqa: PLR0911 (one for each kind)
    sent: t.Any, found: t.Any
) -> bool:
    """Tell whether a value says all that another said."""
    if sent == found and type(sent) is type(found):
        return True
    if isinstance(sent, list) and isinstance(found, list):
        return len(sent) == len(found) and all(map(is_found, sent, found))
    if isinstance(sent, dict) and isinstance(found, dict):
        return sent.keys() == found.keys() and all(
            is_found(sent[name], found[name]) for name in sent
        )
    if isinstance(found, list):
        return len(found) == 1 and is_found(sent, found[0])
    if sent == "" and found is None:
        return True
    if isinstance(sent, str) and isinstance(found, str):
        return parse_timestamp(sent) == parse_timestamp(found)
    if isinstance(sent, list | dict) or found is None:
        return False
    if isinstance(found, str) and isinstance(sent, int | float):
        return found == (str(sent).lower() if isinstance(sent, bool) else str(sent))
    return bool(json.loads(str(sent).lower()) == json.loads(str(found).lower()))


def repaired(value: t.Any) -> t.Any:
    """Return a value as a page brings it."""
    (row,) = Page.parse(json.dumps({"items": [{"value": value}]}).encode()).rows
    return row["value"]


@pytest.mark.parametrize("stream", NAMES)
def test_any_value_at_any_place(stream: str) -> None:
    """The run ends well, no row is lost, and what came can be found again."""
    recording = recording_of(stream)

    @settings(
        max_examples=EXAMPLES[os.environ.get("HYPOTHESIS_PROFILE", "ci")],
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        path = data.draw(places(recording))
        value = data.draw(values)
        found = recording.replay(path, value)
        field = t.cast("str", path[0])
        row: Json = {"row": recording.row}
        holder: t.Any = row
        for step, following in zip(["row", *path[:-1]], path, strict=True):
            holder = holder[step]
            del following
        holder[path[-1]] = value
        sent = repaired(row["row"])[field]
        if stream == "supersearch_enrichment_history":
            field, sent = "entry", repaired(row["row"])
        kept = found.get(COLUMN, {})
        if field in kept:
            sent = prune(sent, (field,), lambda path: is_secret(path[-1]))
            assert is_found(sent, kept[field])
        elif not is_secret(field):
            assert is_found(sent, found[field])

    check()
