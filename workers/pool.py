"""How soon a worker takes up what a dead child held.

A child's end closes a pipe that the pool listens to. Children forked later hold that pipe open too, so only the end of
the youngest is heard at once; for the others Celery looks every five seconds, which is late by itself.
"""

from __future__ import annotations

from typing import Any

from celery import bootsteps
from celery.worker.components import Pool

LOOK_EVERY_S = 0.5


class LookAfterChildren(bootsteps.StartStopStep):
    """A part of the worker that looks after its pool more often; the message of a dead child is given back then."""

    requires = (Pool,)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._looking: Any = None

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        """Begin to look; called again after each new connection to the broker."""
        if self._looking is not None:
            self._looking.cancel()
        self._looking = hub.call_repeatedly(LOOK_EVERY_S, worker.pool.maintain_pool)
