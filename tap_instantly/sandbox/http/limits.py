"""How many requests are allowed."""

from __future__ import annotations

from collections import deque


class RateLimit:
    """The requests of the last minute, each counted with its own time."""

    def __init__(self) -> None:
        """Start without any request."""
        self._times: deque[float] = deque()

    def allows(
        self, now: float, per_second: int | None, per_minute: int | None
    ) -> bool:
        """Tell whether a request at `now` (seconds) is allowed, and count it so."""
        while self._times and self._times[0] <= now - 60:
            self._times.popleft()
        if per_minute is not None and len(self._times) >= per_minute:
            return False
        if (
            per_second is not None
            and len(self._times) >= per_second
            and self._times[-per_second] > now - 1
        ):
            return False
        self._times.append(now)
        return True
