"""For any label and any subset of its fields, exactly the named fields change."""

from __future__ import annotations

import copy
import typing as t

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_instantly.attention.sandbox import Sandbox
from tests.attention.runs import table, write

if t.TYPE_CHECKING:
    from tests.conftest import Json

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
OPTION = st.fixed_dictionaries(
    {"value": TEXTS}, optional={"description": st.none() | TEXTS}
)
FIELDS: dict[str, st.SearchStrategy[t.Any]] = {
    "description": TEXTS,
    "aiFlow": st.booleans(),
    "allTeams": st.booleans(),
    "options": st.lists(OPTION, max_size=3),
}
STORED = {**FIELDS, "description": st.none() | TEXTS}


def seen(row: Json) -> Json:
    """Return a label with one spelling for what means the same."""
    options = [(o["value"], o.get("description") or "") for o in row["options"]]
    return {**row, "description": row["description"] or "", "options": options}


@given(
    label=st.fixed_dictionaries(STORED),
    values=st.fixed_dictionaries({}, optional=FIELDS),
    match_by=st.sampled_from(["name", "uuid"]),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_update(label: Json, values: Json, match_by: str) -> None:
    """The others stay, and a second run finds nothing to do."""
    with Sandbox(labels=3) as sandbox:
        row = sandbox.add(name="Intent", **copy.deepcopy(label))
        expected = seen({**row, **values})
        others = copy.deepcopy(sandbox.rows[:-1])
        record = {"uuid": row["uuid"], "name": "Intent", **values}
        assert write(sandbox, table(record), match_by=match_by).failure is None
        assert seen(row) == expected
        assert sandbox.rows[:-1] == others
        before = seen({"uuid": row["uuid"], **label})
        after = seen({"uuid": row["uuid"], **label, **values})
        changed = {name for name in values if before[name] != after[name]}
        sent = [set(body) for _, _, body in sandbox.writes]
        assert sent == ([changed] if changed else [])
        sandbox.writes.clear()
        write(sandbox, table(record), match_by=match_by)
        assert not sandbox.writes
