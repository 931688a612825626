"""Lists that were served, on their way to the broker: a bounded queue in memory and one thread that empties it.

A read puts its list into the queue and goes on. The thread sends what has gathered as one entry of a stream on the
broker (`workers.served_stream`); a broker that is away costs lists, counted in `/metrics`, never a read. A process that
is killed loses what the queue holds: `SEND_EVERY_S` of lists while the broker answers.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson

from api.metrics import RequestMetrics
from graph.settings import Settings
from workers import queue
from workers.queue import QueueUnavailableError

log = logging.getLogger("kith.api")

MOST_WAITING = 10_000
"""Lists in memory, some 1 KB each; more are dropped."""
SEND_EVERY_S = 0.5
SENT_BYTES = 200_000
"""JSON of answers in one entry, about: some 200 lists of ten items, 30 KB once compressed."""
RETRY_S = 2.0
CLOSE_S = 2.0

Entry = tuple[bytes, str | None, int, str | None]
"""The answer's JSON (many small objects would make the garbage collector's pauses long), the user who agreed to it, ms
since 1970, the channel."""


class Served:
    """Of one process; the thread begins with the first list."""

    def __init__(self, settings: Settings, metrics: Callable[[], RequestMetrics], ending: threading.Event) -> None:
        self._settings = settings
        self._metrics = metrics
        self._ending = ending
        self._closing = threading.Event()
        self._waiting: deque[Entry] = deque()
        self._taken: list[Entry] = []
        """What the thread tries to send; stays until the broker has it."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._owner = 0

    def record(self, answer: bytes, user_id: str | None, at_ms: int, channel: str | None) -> None:
        """Have a list recorded, or counted as dropped where too many wait.

        Args:
            answer: as JSON, as it is answered.
            user_id: None where the user did not agree to personalisation.
            at_ms: when, since 1970.
            channel: where it will be shown.
        """
        if self._settings.served_days == 0:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._metrics().served.labels("dropped").inc()
            return
        self._waiting.append((answer, user_id, at_ms, channel))
        if self._owner != os.getpid():
            self._begin()

    def close(self) -> None:
        """Send what waits, if the broker takes it at once, and end the thread."""
        self._closing.set()
        if self._thread is not None and self._owner == os.getpid():
            self._thread.join(CLOSE_S)

    def _begin(self) -> None:
        with self._lock:
            if self._owner != os.getpid():
                self._thread = threading.Thread(target=self._send_on, name="served", daemon=True)
                self._thread.start()
                self._owner = os.getpid()

    def _send_on(self) -> None:
        is_last = False
        while not is_last:
            self._closing.wait(SEND_EVERY_S)
            is_last = self._closing.is_set() or self._ending.is_set()
            try:
                while self._waiting or self._taken:
                    self._send()
            except QueueUnavailableError as error:
                log.warning("served lists wait: %s", type(error).__name__)
                self._closing.wait(RETRY_S)

    def _send(self) -> None:
        """Send the oldest that wait.

        Raises:
            QueueUnavailableError: the broker did not take them; they are sent again.
        """
        size = sum(len(entry[0]) for entry in self._taken)
        while self._waiting and size < SENT_BYTES:
            self._taken.append(self._waiting.popleft())
            size += len(self._taken[-1][0])
        queue.record_served(self._settings, [told(*entry) for entry in self._taken])
        self._metrics().served.labels("sent").inc(len(self._taken))
        self._taken = []


def told(answer: bytes, user_id: str | None, at_ms: int, channel: str | None) -> dict[str, Any]:
    """Return what is kept of a list."""
    listed = orjson.loads(answer)
    items = listed["items"]
    return {
        "recommendationId": listed["recommendationId"],
        "userId": user_id,
        "servedMs": at_ms,
        "modelVersion": listed["modelVersion"],
        "strategy": listed["strategy"],
        "channel": channel,
        "itemId": [row["itemId"] for row in items],
        "score": [row["score"] for row in items],
        "propensity": [row.get("propensity", 1.0) for row in items],
    }
