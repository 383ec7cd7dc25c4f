"""Rate limits: one budget for all requests of a run, from whatever thread."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import typing as t

import pytest

from tap_instantly.api import rate_limit
from tap_instantly.api.rate_limit import RateLimiter
from tests.conftest import catalog_of, sync

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_instantly.sandbox import Sandbox
    from tap_instantly.sandbox.http.faults import Kind

SUBSTREAMS = (
    "campaign_analytics_daily",
    "campaign_analytics_overview",
    "campaign_analytics_steps",
    "campaign_sending_status",
    "subsequence_analytics",
)


class VirtualClock:
    """Time that advances only when all threads sleep: the first to wake runs next."""

    def __init__(self, threads: int) -> None:
        """Begin with so many threads."""
        self._changed = threading.Condition()
        self._times = dict.fromkeys(range(threads), 0.0)
        self._own = threading.local()

    @contextlib.contextmanager
    def running(self, thread: int) -> Iterator[None]:
        """Let the calling thread be one of them until it ends."""
        self._own.thread = thread
        try:
            yield
        finally:
            with self._changed:
                del self._times[thread]
                self._changed.notify_all()

    def monotonic(self) -> float:
        """Return the time of the calling thread."""
        return self._times[self._own.thread]

    def sleep(self, seconds: float) -> None:
        """Wait until no thread has an earlier time."""
        thread = self._own.thread
        with self._changed:
            self._times[thread] += seconds
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._times[thread] <= min(self._times.values())
            )


@pytest.mark.parametrize("path", ["/lead-labels", "/emails"])
@pytest.mark.parametrize(("per_minute", "threads"), [(6000, 1), (6000, 8), (50, 3)])
def test_limits(
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    per_minute: int,
    threads: int,
) -> None:
    """No second and no minute has more requests than allowed, from whatever thread."""
    sent: list[float] = []
    clock = VirtualClock(threads)
    monkeypatch.setattr(rate_limit, "time", clock)
    rate_limiter = RateLimiter(per_minute)

    def send(thread: int) -> None:
        with clock.running(thread):
            for _ in range(7_000 // threads):
                rate_limiter.wait(path)
                rate_limiter.wait()
                sent.append(clock.monotonic())

    workers = [threading.Thread(target=send, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(sent) == 7_000 // threads * threads
    sent.sort()
    limit = 20 if path == "/emails" else per_minute
    check_window(sent, 60, limit)
    check_window(sent, 1, 100)


def check_window(sent: list[float], seconds: float, limit: int) -> None:
    """Expect no interval of so many seconds with more requests than the limit."""
    pairs = zip(sent, sent[limit:], strict=False)
    assert all(later - sooner >= seconds for sooner, later in pairs)


def test_threads_keep_their_distance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Requests that come at the same time are sent at even intervals."""
    slept: list[float] = []
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    monkeypatch.setattr(time, "sleep", slept.append)
    rate_limiter = RateLimiter(60)

    def send() -> None:
        for _ in range(2_000):
            rate_limiter.wait()

    threads = [threading.Thread(target=send) for _ in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    distance = 1 / rate_limit.MARGIN
    assert sorted(slept) == pytest.approx([n * distance for n in range(1, 16_000)])


def test_retries_are_limited(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both streams and all retries share one limiter."""
    passed: list[RateLimiter] = []

    def spy(self: RateLimiter, path: str = "") -> None:
        if not path:
            passed.append(self)

    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(RateLimiter, "wait", spy)
    for kind in (503, "reset", "not-json"):
        sandbox.fail("/lead-labels", t.cast("Kind", kind), times=2)
    sync(sandbox)
    assert len(passed) == len(sandbox.requests) > 6
    assert len(set(map(id, passed))) == 1


def test_one_limiter_for_all_threads(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request keeps to the budget of the run, from whatever thread."""
    limiters, waits = [], []
    wait = RateLimiter.wait

    def spy(self: RateLimiter, path: str = "") -> None:
        limiters.append(self)
        if not path:
            waits.append(threading.current_thread().name)
        wait(self, path)

    monkeypatch.setattr(RateLimiter, "wait", spy)
    sync(sandbox, catalog=catalog_of("campaigns", "workspace", *SUBSTREAMS))
    assert len(waits) == len(sandbox.requests)
    assert len(set(map(id, limiters))) == 1
    assert len(set(waits)) > 2
