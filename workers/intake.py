"""Entries of the event stream into the graph: in one transaction, and acknowledged only after its commit.

An entry that was handed out often without being acknowledged is under suspicion of ending its consumers: it is written
alone. What is refused, cannot be read, cannot be written, or goes on ending consumers becomes a dead letter, so that
nothing blocks the stream. While the graph takes no writes at all, nobody is to blame: the entries are kept.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from redis.exceptions import RedisError

from graph import events, monitor
from graph.connection import Graph
from graph.errors import GraphError, MalformedError
from graph.events import Outcome
from graph.settings import Settings
from graph.strict_json import parse
from workers.event_stream import Entry, EventStream
from workers.patience import Patience

log = logging.getLogger("kith.workers")

SUSPICIOUS = 3
"""An entry that was handed out so often before is written alone."""
MOST_DEATHS = 2
"""An entry that ended so many consumers while it was written alone is given up."""
TRIES_IN_VAIN = 5
"""A transaction that failed so often in a row, each time while the graph took other writes, is not tried again."""
LONGEST_REASON = 500


class UnwritableError(Exception):
    """The graph takes writes, but not these."""


class Intake:
    """Takes batches into one graph."""

    def __init__(self, stream: EventStream, graph: Graph, settings: Settings, patience: Patience) -> None:
        self._stream = stream
        self._graph = graph
        self._settings = settings
        self._patience = patience

    def take(self, entries: Sequence[Entry]) -> None:
        """Bring the entries to their end: in the graph, or dead letters; none is pending afterwards.

        Raises:
            Stopped: the process is to end; what is not done yet stays pending.
            RedisError, OSError: the broker is away; what is in the graph already will be a duplicate.
        """
        alone = [entry for entry in entries if entry.deliveries >= SUSPICIOUS]
        together = [entry for entry in entries if entry.deliveries < SUSPICIOUS]
        if together:
            try:
                self._write(together)
            except UnwritableError:
                alone = together + alone
        for entry in alone:
            self._patience.check()
            self._write_alone(entry)

    def _write_alone(self, entry: Entry) -> None:
        if (deaths := self._stream.deaths(entry.entry_id)) >= MOST_DEATHS:
            self._bury([(entry, f"its consumer ended {deaths} times while it was written alone")])
            return
        try:
            self._write([entry], trial=True)
            self._stream.acquit(entry.entry_id)
        except UnwritableError as error:
            self._bury([(entry, f"cannot be written: {type(error.__cause__).__name__}")])

    def _write(self, entries: Sequence[Entry], *, trial: bool = False) -> None:
        """Write, acknowledge what is in the graph, then bury what was refused.

        Raises:
            UnwritableError: nothing was written, and the graph is not to blame.
        """
        with self._marked(entries, trial):
            given, readable, letters = _events(entries, self._settings.max_body_bytes)
        if readable:
            outcome = self._ingest(readable, given, trial)
            refused = {each.index: str(each.problem["detail"]) for each in outcome.rejected}
            self._stream.acknowledge([e.entry_id for index, e in enumerate(readable) if index not in refused])
            self._stream.count({"accepted": outcome.accepted, "duplicate": outcome.duplicates})
            letters += [(readable[index], reason) for index, reason in refused.items()]
        self._bury(letters)

    def _ingest(self, entries: Sequence[Entry], given: list[Any], trial: bool) -> Outcome:
        """Write in one transaction, tried again while the graph takes no writes, else `TRIES_IN_VAIN` times.

        Raises:
            UnwritableError: nothing was written, and the graph is not to blame.
        """
        in_vain = 0
        while True:
            try:
                with self._marked(entries, trial):
                    outcome = events.ingest(self._graph, self._settings, given)
                self._patience.well()
                return outcome
            except RedisError:
                raise
            except Exception as error:
                in_vain = in_vain + 1 if monitor.takes_writes(self._graph) else 0
                if in_vain and (in_vain == TRIES_IN_VAIN or not getattr(error, "retryable", False)):
                    _tell(error)
                    raise UnwritableError from error
                self._stream.keep([entry.entry_id for entry in entries])
                self._patience.wait(error)

    def _marked(self, entries: Sequence[Entry], trial: bool) -> AbstractContextManager[None]:
        return self._stream.trial(entries[0].entry_id) if trial else nullcontext()

    def _bury(self, letters: Sequence[tuple[Entry, str]]) -> None:
        if letters:
            self._stream.bury([(entry, reason[:LONGEST_REASON]) for entry, reason in letters])
            log.warning("dead letters of the event stream: %d more (kith stream dead)", len(letters))


def _events(entries: Sequence[Entry], most_bytes: int) -> tuple[list[Any], list[Entry], list[tuple[Entry, str]]]:
    """Return what can be read of the entries, which ones these are, and the others with their reasons."""
    given: list[Any] = []
    readable: list[Entry] = []
    letters: list[tuple[Entry, str]] = []
    for entry in entries:
        try:
            given.append(_event(entry, most_bytes))
            readable.append(entry)
        except MalformedError as error:
            letters.append((entry, str(error)))
    return given, readable, letters


def _event(entry: Entry, most_bytes: int) -> Any:
    """Return what the entry says, not judged yet.

    Raises:
        MalformedError: it says nothing that could be judged.
    """
    if entry.fields != 1:
        raise MalformedError(f"an entry has one field event, this one has {entry.fields or 'none'}")
    if entry.size_bytes > most_bytes:
        raise MalformedError(f"the event has {entry.size_bytes} bytes, more than KITH_MAX_BODY_BYTES")
    return parse(entry.event)


def _tell(error: Exception) -> None:
    if isinstance(error, GraphError):
        log.warning("entries of the event stream cannot be written: %s", type(error).__name__)
    else:
        log.error("an error of our own in the event stream", exc_info=error)
