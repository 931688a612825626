"""The server's clock, as one process knows it: processes whose own clocks differ judge times alike."""

from __future__ import annotations

import time
from collections.abc import Callable

KEPT_S = 60.0
"""The server is asked so often; in between the monotonic clock carries its time on."""


class ServerClock:
    """One per process."""

    def __init__(self) -> None:
        self._known = (0.0, float("-inf"))

    def ms(self, ask: Callable[[], int]) -> int:
        """Return the server's time, ms since 1970; `ask` reads it from the server."""
        ahead_ms, asked_s = self._known
        if time.monotonic() - asked_s > KEPT_S:
            server_ms = ask()
            asked_s = time.monotonic()
            ahead_ms = server_ms - asked_s * 1000
            self._known = (ahead_ms, asked_s)
        return int(ahead_ms + time.monotonic() * 1000)
