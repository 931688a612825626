"""Answers that go on: server-sent events, few at a time, that end when the server ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import orjson
from flask import Response

from graph.errors import UnavailableError

MEDIA_TYPE: Final = "text/event-stream"
LONGEST_S: Final = 900.0
"""A stream ends after this long and the client comes again, so that none outlives its reader for good."""
KEEP_ALIVE_S: Final = 5.0
"""After so much silence a comment is sent: proxies keep the connection, and only so a reader who left is found out."""
RETRY_MS: Final = 1_000
"""How long a browser waits before it comes again."""


def event(name: str, event_id: str, data: Any) -> bytes:
    """Return one event; `data` as JSON in one line."""
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name.encode(), event_id.encode(), orjson.dumps(data))


def comment(text: str) -> bytes:
    """Return a line that clients pass over."""
    return f": {text}\n\n".encode()


class Streams:
    """The streams of one process."""

    def __init__(self, most: int, counted: Callable[[int], object]) -> None:
        """Allow `most` at a time; `counted` is told 1 when one begins and -1 when it ends."""
        self._free = threading.BoundedSemaphore(most)
        self._counted = counted

    def begin(self, told: Iterable[bytes]) -> Response:
        """Return the answer that sends what `told` yields, and a comment where it yields nothing for long.

        Args:
            told: events and comments; an empty one says that there is nothing new at the moment.

        Raises:
            UnavailableError: too many streams.
        """
        if not self._free.acquire(blocking=False):
            raise UnavailableError("too many streams at a time")
        self._counted(1)
        response = Response(_paced(told), mimetype=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})
        response.call_on_close(self._end)  # called once, also where nothing was sent
        return response

    def _end(self) -> None:
        self._counted(-1)
        self._free.release()


def _paced(told: Iterable[bytes]) -> Iterator[bytes]:
    ends = time.monotonic() + LONGEST_S
    spoke = time.monotonic()
    yield b"retry: %d\n\n" % RETRY_MS
    for chunk in told:
        now = time.monotonic()
        if chunk or now - spoke >= KEEP_ALIVE_S:
            spoke = now
            yield chunk or comment("still here")
        if now >= ends:
            return
