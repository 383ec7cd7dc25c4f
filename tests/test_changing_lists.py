"""Every row that stays comes once, whatever comes and goes while a list is read."""

from __future__ import annotations

import bisect
import os
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_instantly.reading import id_range, id_range_planner
from tap_instantly.reading.ids import id_at, place_of
from tests.id_lists import KINDS, NOW, SINCE, make_ids, random_id, seeded, timed_id
from tests.id_servers import Inclusive, Keyset, ShortPages, read

if t.TYPE_CHECKING:
    import random

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"

CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["edge", "page", "pages", "random", "new", "new random"]),
        st.integers(0, 10_000),
        st.integers(1, 300),
    ),
    max_size=60,
)


class Changing:
    """Lets rows come and go between any two requests, mostly where ranges meet."""

    def __init__(
        self, server: Keyset, changes: t.Iterable[tuple[str, int, int]], seed: int
    ) -> None:
        """Change nothing yet."""
        self._server, self._changes = server, iter(changes)
        self._rng = seeded(seed)

    def change(self) -> None:
        """Make the next change, or none."""
        change = next(self._changes, None)
        if change is None or self._rng.random() < 0.3:
            return
        kind, place, number = change
        server, rng = self._server, self._rng
        cursors = [each for each in server.cursors if each]
        if kind.startswith("new"):
            make = random_id if kind == "new random" else _recent_id
            new = {make(rng) for _ in range(number // 20 + 1)}
            for each in cursors[-3:]:
                new.add(id_at(place_of(each) + 1 + rng.getrandbits(40), each[14]))
            server.ids = sorted({*server.ids, *new} - server.deleted)
        elif kind == "random":
            server.delete(rng.sample(server.ids, min(number, len(server.ids))))
        else:
            cursor = cursors[place % len(cursors)] if cursors else ""
            start = bisect.bisect_right(server.ids, cursor)
            size = {"edge": 1, "page": 11}.get(kind, 30 + number)
            server.delete(server.ids[start : start + size])


def _recent_id(rng: random.Random) -> str:
    return timed_id(rng, NOW - (NOW - SINCE) * rng.random() / 3)


@pytest.mark.parametrize("server", [Keyset, Inclusive, ShortPages])
@settings(deadline=None, max_examples=10_000 if NIGHTLY else 300)
@given(
    number=st.integers(0, 900),
    kind=st.sampled_from(KINDS),
    changes=CHANGES,
    size=st.sampled_from([1, 3, 10]),
    seed=st.integers(0, 99),
)
def test_rows_come_and_go(  # noqa: PLR0913, PLR0917 - each is one property
    server: type[Keyset],
    number: int,
    kind: str,
    changes: list[tuple[str, int, int]],
    size: int,
    seed: int,
) -> None:
    """Every row that stays comes once."""
    ids, warnings = make_ids(kind, number, seed), list[str]()
    size += 2 if server is Inclusive else 0
    instance = server(ids, size)
    instance.on_answer = Changing(instance, changes, seed).change
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_range_planner, "SEQUENTIAL_ROWS", 5 * size)
        patch.setattr(id_range, "MIN_PAGES", 1)
        found = read(instance, warnings, seeded(seed))
    assert {*ids} - instance.deleted <= {*found}
    assert len(found) == len({*found}) or warnings
    if size > 1 and len(changes) < 40:  # else nearly all that is read goes meanwhile
        assert not [each for each in warnings if "contradict" in each]
