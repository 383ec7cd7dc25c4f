"""Draws: invented values, each of which follows from a seed and a number alone."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

from tap_instantly.sandbox.store.timestamps import MILLISECOND, SECOND, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")

NEWEST = read("2026-10-29T16:20:00Z")
"""No row is newer than this, except those that are added later."""

_OLDEST = read("2022-02-01T00:00:00Z")
_USUAL_GAP = 5 * 3600 * SECOND


class Draw:
    """A fixed sequence of drawn numbers that follows from its key alone."""

    def __init__(self, *key: object) -> None:
        """Start the sequence that belongs to `key`."""
        digest = blake2b(repr(key).encode(), digest_size=32).digest()
        self._left = int.from_bytes(digest, "big")

    def below(self, bound: int) -> int:
        """Draw an integer from 0 up to, not including, `bound`."""
        self._left, value = divmod(self._left, bound)
        return value

    def of(self, choices: Sequence[T]) -> T:
        """Draw one of `choices`."""
        return choices[self.below(len(choices))]

    def once_in(self, times: int) -> bool:
        """Draw whether something happens that happens once in so many times."""
        return self.below(times) == 0

    def uuid4(self) -> str:
        """Draw a random UUID (version 4)."""
        return _uuid(4, self.below(1 << 128))

    def uuid7(self, timestamp: int) -> str:
        """Draw a UUID of version 7, which begins with `timestamp`."""
        return _uuid(7, (timestamp // MILLISECOND) << 80 | self.below(1 << 80))


def _uuid(version: int, value: int) -> str:
    """Write 128 bits as a UUID of a version, which replaces six of them."""
    value = value & ~(0xF << 76 | 3 << 62) | version << 76 | 2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def draw_timestamps(seed: int, name: str, count: int, ties: int = 1) -> Iterator[int]:
    """Yield `count` timestamps, newest first; each stands for `ties` rows in turn.

    They go back from `NEWEST` at irregular distances of five hours on average,
    or as many less as it takes to stay in the years since 2022. Some fall on a
    whole second or tenth of a second.
    """
    groups = max(1, -(-count // ties))
    gap = min(_USUAL_GAP, (NEWEST - _OLDEST) // groups) // SECOND * SECOND
    for number in range(count):
        group, member = divmod(number, ties)
        if member == 0:
            draw = Draw(seed, name, "time", group)
            grain = draw.of((SECOND, SECOND // 10, *[MILLISECOND] * 10))
            timestamp = NEWEST - group * gap - draw.below(gap // grain) * grain
        yield timestamp
