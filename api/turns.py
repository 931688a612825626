"""How many requests one process answers at a time; those that only go on telling (streams) do not count."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[..., Iterable[bytes]]


class Turns:
    """A WSGI application that answers at most `threads` requests at a time.

    The server has a thread for each stream besides (`KITH_API_STREAMS`). Without turns those would answer requests
    while there are no streams, many at a time, and each would take longer.
    """

    def __init__(self, application: Application, threads: int) -> None:
        self._application = application
        self._turns = threading.BoundedSemaphore(threads)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer; what the answer yields comes after the turn."""
        with self._turns:
            return self._application(environ, start_response)
