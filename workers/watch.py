"""Keeping a job while it is worked on: heartbeats, progress, and the wish to stop, by one thread beside the work."""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Self

from graph import jobs
from graph.connection import Graph
from graph.errors import ConflictError, GraphError
from graph.jobs import Claim

log = logging.getLogger("kith.workers")

LEASE_S = 12.0
"""A worker that is silent for this long has lost its job to whoever asks."""
BEAT_S = 2.0


class JobStopped(Exception):  # noqa: N818  it is no error: someone asked for it, or another worker has the job
    """The work must end now."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """`cancelled` or `lost`."""


class Watch:
    """A claimed job under watch; `report` says how far it is and raises when the work must end."""

    def __init__(self, graph: Graph, claim: Claim) -> None:
        self._graph = graph
        self._claim = claim
        self._told = (0.0, "starting", "")
        self._stop = threading.Event()
        self._reason = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def reason(self) -> str:
        """Why the work must end: `cancelled`, `lost`, or empty while it need not."""
        return self._reason

    def report(self, fraction: float, stage: str, message: str = "") -> None:
        """Say how far the job is; written with the next heartbeat.

        Raises:
            JobStopped: someone asked the job to stop, or another worker has it.
        """
        self._told = (fraction, stage, message)
        self.check()

    def check(self) -> None:
        """Make sure that the work may go on.

        Raises:
            JobStopped: it may not.
        """
        if self._stop.is_set():
            raise JobStopped(self._reason)

    def confirm(self) -> None:
        """Ask the graph now, before work that others see: a process that was frozen knows less than its job's record.

        Raises:
            JobStopped: the work must end.
            GraphError: the graph does not answer.
        """
        self._ask()
        self.check()

    def _beat(self) -> None:
        while True:
            try:
                self._ask()
            except GraphError as error:
                # The lease may run out meanwhile; whoever takes the job then gets the next fencing number.
                log.warning("no heartbeat: %s", error, extra={"jobId": self._claim.job_id})
            if self._over.wait(BEAT_S):
                return

    def _ask(self) -> None:
        try:
            if jobs.progress(self._graph, self._claim, *self._told):
                self._end("cancelled")
        except ConflictError:
            self._end("lost")

    def _end(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._stop.set()
