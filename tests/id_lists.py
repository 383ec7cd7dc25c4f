"""Lists of ids, as workspaces of several kinds have them."""

from __future__ import annotations

import random
import typing as t
import uuid
from datetime import datetime, timedelta, timezone

if t.TYPE_CHECKING:
    from collections.abc import Callable

SINCE = datetime(2025, 10, 15, tzinfo=timezone.utc)
NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


def seeded(seed: object) -> random.Random:
    """Return random numbers that are the same in every run."""
    return random.Random(str(seed))  # noqa: S311 (no secret)


def random_id(rng: random.Random) -> str:
    """Return an id as leads had them before ids told the time."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def timed_id(rng: random.Random, created: datetime) -> str:
    """Return an id that begins with the milliseconds of its creation."""
    time = int(created.timestamp() * 1000) << 80
    bits = time | 7 << 76 | rng.getrandbits(12) << 64 | 2 << 62 | rng.getrandbits(62)
    return str(uuid.UUID(int=bits))


def any_time(rng: random.Random) -> datetime:
    """Return a time since ids tell it."""
    return SINCE + (NOW - SINCE) * rng.random()


def make_imports(rng: random.Random, number: int, count: int) -> list[str]:
    """Return ids of imports, each of about 10,000 rows a minute."""
    begins = [any_time(rng) for _ in range(count)]
    weights = [rng.uniform(0.3, 1.7) for _ in range(count)]
    chosen = rng.choices(range(count), weights, k=number)
    return [
        timed_id(rng, begins[k] + MINUTE * (n / count / 10_000))
        for n, k in enumerate(chosen)
    ]


def make_ids(kind: str, number: int, seed: int = 1) -> list[str]:
    """Return the ids of a workspace, ascending."""
    rng = seeded(f"{kind} {number} {seed}")
    half = number // 2
    older = [random_id(rng) for _ in range(half)]
    makers: dict[str, Callable[[], list[str]]] = {
        "random": lambda: [random_id(rng) for _ in range(number)],
        "even": lambda: [timed_id(rng, any_time(rng)) for _ in range(number)],
        "growing": lambda: [
            timed_id(rng, SINCE + (NOW - SINCE) * rng.random() ** 0.33)
            for _ in range(number)
        ],
        "recent": lambda: [
            timed_id(rng, NOW - timedelta(days=20) * rng.random())
            for _ in range(number)
        ],
        "one import": lambda: make_imports(rng, number, 1),
        "imports": lambda: make_imports(rng, number, 20),
        "random and even": lambda: (
            older + [timed_id(rng, any_time(rng)) for _ in range(number - half)]
        ),
        "random and imports": lambda: older + make_imports(rng, number - half, 5),
    }
    ids = sorted({*makers[kind]()})
    assert len(ids) == number
    return ids


KINDS = [
    "random",
    "even",
    "growing",
    "recent",
    "one import",
    "imports",
    "random and even",
    "random and imports",
]
