"""Reading ahead: requests of many questions and streams at a time, in one order.

The main thread, where a signal may strike anywhere, touches nothing here but simple
queues and bare locks, which no signal leaves half-used.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import typing as t
from collections import Counter, deque
from dataclasses import replace

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_instantly.stream import InstantlyStream, Question
    from tap_instantly.writing import Stretch

_T = t.TypeVar("_T")

Event: t.TypeAlias = tuple[t.Literal["awaited", "ended", "held"], int]

WIDTH = 16
"""Questions of a stream whose answers are taken in turn, a page at a time.

They go on side by side, however long one of them is. It is the same number whatever
`max_concurrency` is, because the order of the records follows from it.
"""

MOST_HELD = 2 * 2**20
"""Bytes of answers that wait to be written, beyond which nothing further is asked.

Those of slow streams are not among them, which must hold up nobody. As many bytes of
each such answer may wait.
"""


class UnwantedError(Exception):
    """An answer that nobody waits for any more."""


class Reply(threading.Thread):
    """The answer to a question, which is read page by page, a page ahead.

    That of a slow stream is read further ahead, while the others are written.

    It is a thread of its own. Those of a pool would keep a process from ending that has
    failed: it waits for them, and they may wait for minutes before they try again.
    """

    def __init__(
        self,
        stream: InstantlyStream,
        question: Question,
        events: queue.SimpleQueue[Event],
    ) -> None:
        """Begin to read."""
        super().__init__(name=stream.name, daemon=True)
        self._stream, self._question, self._events = stream, question, events
        self._stretches: queue.SimpleQueue[Stretch | Exception | None]
        self._stretches = queue.SimpleQueue()
        self._taken = queue.SimpleQueue[int]()  # sizes
        self._room = queue.SimpleQueue[int]()  # what it takes, until it makes room
        self._room.put(1)
        self.is_unwanted = False
        self.start()

    @override
    def run(self) -> None:
        most_waiting = MOST_HELD if self._stream.is_slow else 0
        waiting = 0
        try:
            for stretch in self._stream.reply(self._question):
                waiting += stretch.size
                self._events.put(("held", self._weight(stretch)))
                has_more = stretch.has_more
                self._stretches.put(stretch)
                del stretch
                while has_more and waiting > most_waiting and not self.is_unwanted:
                    waiting -= self._taken.get()
                if self.is_unwanted:
                    return
            self._stretches.put(None)
        except Exception as error:  # noqa: BLE001 (it is raised where the stretch is)
            self._stretches.put(error)
        finally:
            if self.is_unwanted:
                self.give_up()
            self._make_room()

    def take(self) -> Stretch | None:
        """Return the next stretch of the answer, or None at its end.

        Raises:
            Exception: What went wrong with it.
        """
        stretch = _unless_failed(self._stretches)
        if stretch is not None:
            self._let_go(stretch)
        return stretch

    def _let_go(self, stretch: Stretch) -> None:
        self._events.put(("held", -self._weight(stretch)))
        self._taken.put(stretch.size)

    def _weight(self, stretch: Stretch) -> int:
        return 0 if self._stream.is_slow else stretch.size

    def _make_room(self) -> None:
        for room in _waiting_in(self._room):
            self._events.put(("ended", room))

    def give_up(self) -> None:
        """Let nothing further be read.

        It makes room for others at once, however long it may wait to try again.
        """
        self.is_unwanted = True
        self._make_room()
        for stretch in _waiting_in(self._stretches):
            if stretch is not None and not isinstance(stretch, Exception):
                self._let_go(stretch)


class Ahead(threading.Thread):
    """Asks what the streams of a run want to know, in their order."""

    def __init__(self, streams: Sequence[InstantlyStream], concurrency: int) -> None:
        """Prepare to ask.

        Args:
            streams: The streams, in the order in which they are written.
            concurrency: How many requests may be under way at a time.
        """
        super().__init__(name="ahead", daemon=True)
        # Those that must go slowly begin first, and delay nobody.
        self._streams = sorted(streams, key=lambda stream: not stream.is_slow)
        self._given_up = set[str]()
        self._replies = {
            stream.name: queue.SimpleQueue[Reply | Exception | None]()
            for stream in streams
        }
        self._events = queue.SimpleQueue[Event]()
        self._room = WIDTH + concurrency
        self._counts = Counter[str]()

    @override
    def run(self) -> None:
        for place, stream in enumerate(self._streams):
            replies = self._replies[stream.name]
            try:
                questions = enumerate(stream.asks())
                while self._is_wanted(stream) and (found := next(questions, None)):
                    number, question = found
                    self._counts["begun"] += 1
                    placed = replace(question, place=(place, number))
                    replies.put(Reply(stream, placed, self._events))
            except Exception as error:  # noqa: BLE001 (it is raised in `stretches`)
                replies.put(error)
            replies.put(None)
            if stream.name in self._given_up:
                self._drop(stream)

    def _is_wanted(self, stream: InstantlyStream) -> bool:
        """Wait until something further may be asked, and return whether it is to be."""
        self._wait_for_room()
        return stream.name not in self._given_up

    def _wait_for_room(self) -> None:
        """Wait until little enough is being read, and little enough waits.

        For what the main thread waits for there is always room.
        """
        counts = self._counts
        while counts["begun"] - counts["ended"] >= self._room or (
            counts["held"] >= MOST_HELD and not counts["awaited"]
        ):
            name, number = self._events.get()
            counts[name] += number
        for name, number in _waiting_in(self._events):
            counts[name] += number
        counts["awaited"] = 0

    def stretches(self, stream: InstantlyStream) -> Iterator[Stretch]:
        """Yield all answers to what a stream asks.

        Raises:
            Exception: What went wrong with one of them.
        """
        if self.ident is None:
            self.start()
        replies = self._replies[stream.name]
        turns: deque[Reply] = deque()
        is_all = False
        try:
            while turns or not is_all:
                while len(turns) < WIDTH and not is_all:
                    self._events.put(("awaited", 1))
                    reply = _unless_failed(replies)
                    is_all = reply is None
                    turns.extend([reply] if reply else [])
                if turns and (stretch := turns[0].take()):
                    yield stretch
                    turns.rotate(-1)
                elif turns:
                    turns.popleft()
        finally:
            if turns or not is_all:
                self._given_up.add(stream.name)
                for reply in turns:
                    reply.give_up()
                self._drop(stream)

    def give_up(self) -> None:
        """Let nothing further be asked or read."""
        for stream in self._streams:
            self._given_up.add(stream.name)
            self._drop(stream)

    def _drop(self, stream: InstantlyStream) -> None:
        """Give up the replies of a stream that nobody waits for."""
        for reply in _waiting_in(self._replies[stream.name]):
            if isinstance(reply, Reply):
                reply.give_up()


def _waiting_in(items: queue.SimpleQueue[_T]) -> Iterator[_T]:
    """Take all that waits in a queue."""
    with contextlib.suppress(queue.Empty):
        while True:
            yield items.get_nowait()


def _unless_failed(results: queue.SimpleQueue[_T | Exception]) -> _T:
    """Return the next of some results.

    Raises:
        Exception: The exception that it is.
    """
    result = results.get()
    if not isinstance(result, Exception):
        return result
    try:
        raise result
    finally:
        del result  # or it and this frame would keep each other, and a connection open
