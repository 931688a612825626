"""Waiting for a server that is away: longer each time, ended at once by the wish to stop, said once in a while."""

from __future__ import annotations

import logging
import random
import threading
import time

from redis.exceptions import RedisError

log = logging.getLogger("kith.workers")

FIRST_S = 0.2
LONGEST_S = 5.0
SAID_EVERY_S = 60.0


class Stopped(Exception):  # noqa: N818  it is no error: someone asked for it
    """The process is to end."""


class Patience:
    """The waits for one server."""

    def __init__(self, server: str, stop: threading.Event) -> None:
        self._server = server
        self._stop = stop
        self._next_s = FIRST_S
        self._said_at: float | None = None

    def wait(self, error: BaseException) -> None:
        """Wait before the next try.

        Raises:
            Stopped: the process is to end.
        """
        now = time.monotonic()
        if self._said_at is None or now - self._said_at > SAID_EVERY_S:
            # Neo4j's words may quote an event, the broker's never do.
            words = f"{type(error).__name__} {error}" if isinstance(error, RedisError) else type(error).__name__
            log.warning("waiting for %s: %s", self._server, words)
            self._said_at = now
        if self._stop.wait(self._next_s * random.uniform(0.5, 1.0)):
            raise Stopped
        self._next_s = min(2 * self._next_s, LONGEST_S)

    def check(self) -> None:
        """Make sure that the work may go on.

        Raises:
            Stopped: the process is to end.
        """
        if self._stop.is_set():
            raise Stopped

    def well(self) -> None:
        """Note that the server has done what it was asked for."""
        if self._said_at is not None:
            log.info("%s is there again", self._server)
        self._next_s, self._said_at = FIRST_S, None
