"""The one driver of a process, and the only ways to run a query: by name, in a transaction, with a timeout."""

from __future__ import annotations

import copy
import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import Any, Self, TypeVar

from neo4j import READ_ACCESS, WRITE_ACCESS, Driver, GraphDatabase, ManagedTransaction, Query, Session, unit_of_work
from neo4j.api import BookmarkManager
from neo4j.exceptions import DriverError, Neo4jError
from neo4j.vector import Vector

from graph.clock import ServerClock
from graph.cypher_text import load
from graph.errors import UnavailableError, translated
from graph.settings import Settings

__all__ = ["Graph", "Transaction", "Vector", "connect"]

Row = dict[str, Any]
T = TypeVar("T")

FIRST_DELAY_S = 0.05
"""Before the second try; deadlocks pass quickly, the driver's own 1 s would be most of a write's p99."""
NO_RETRY: dict[str, Any] = {"max_transaction_retry_time": -1.0}


class Transaction:
    """A managed transaction: runs named queries; the driver may run the whole of it again after a transient error."""

    def __init__(self, managed: ManagedTransaction, ends_s: float | None = None) -> None:
        self._managed = managed
        self._ends_s = ends_s

    def run(self, name: str, /, **parameters: Any) -> list[Row]:
        """Run the named query and return its rows.

        Raises:
            UnavailableError: the time for the work is over (see `Graph.until`).
        """
        _left_s(self._ends_s)
        return [dict(record) for record in self._managed.run(load(name), parameters)]


class Graph:
    """A connection to Neo4j; safe to share between threads, never across a fork."""

    def __init__(self, driver: Driver, settings: Settings, sessions: Callable[[int], object]) -> None:
        self._driver = driver
        self._settings = settings
        self._sessions = sessions
        self._ends_s: float | None = None
        self._clock = ServerClock()
        self._own = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._driver.close()

    def until(self, ends_s: float) -> Graph:
        """Return this connection for work that somebody waits for: it ends by this moment of `time.monotonic()`.

        Transactions are tried again as long as there is time and stopped when there is none, whatever they wait for.
        """
        limited = copy.copy(self)
        limited._ends_s = ends_s
        return limited

    def now_ms(self) -> int:
        """Return the server's time, ms since 1970, whatever this machine's clock says.

        Raises:
            UnavailableError: it had to be asked and did not answer.
        """
        return self._clock.ms(lambda: self.read("events.read_clock")[0]["ms"])

    def verify(self) -> str:
        """Return the server's agent (for example `Neo4j/2026.08.1`).

        Raises:
            UnavailableError, AuthenticationError: the server cannot be used.
        """
        with translated():
            return self._driver.get_server_info().agent

    def read(self, name: str, /, *, timeout_s: float | None = None, **parameters: Any) -> list[Row]:
        """Run the named query in a read transaction and return its rows.

        Raises:
            UnavailableError: no server, or no answer within `timeout_s` (default: `KITH_READ_TIMEOUT_S`).
            GraphError: the server refused the query.
        """
        return self.transaction(lambda tx: tx.run(name, **parameters), read_only=True, timeout_s=timeout_s)

    def write(self, name: str, /, *, timeout_s: float | None = None, **parameters: Any) -> list[Row]:
        """Run the named query in a write transaction, retried on transient errors, and return its rows.

        Raises:
            UnavailableError: no server, or no answer within `timeout_s` (default: `KITH_WRITE_TIMEOUT_S`).
            ConflictError: a uniqueness constraint forbids it.
            GraphError: the server refused the query.
        """
        return self.transaction(lambda tx: tx.run(name, **parameters), timeout_s=timeout_s)

    def write_many(
        self, queries: Sequence[tuple[str, dict[str, Any]]], *, timeout_s: float | None = None
    ) -> list[list[Row]]:
        """Run several named queries in one write transaction; all take effect or none."""
        return self.transaction(lambda tx: [tx.run(name, **given) for name, given in queries], timeout_s=timeout_s)

    def transaction(
        self, work: Callable[[Transaction], T], *, read_only: bool = False, timeout_s: float | None = None
    ) -> T:
        """Run `work` in one transaction and return what it returns; `work` may be called again after a transient error.

        Raises:
            UnavailableError, ConflictError, GraphError: as for `write`.
        """
        limit_s = timeout_s or (self._settings.read_timeout_s if read_only else self._settings.write_timeout_s)
        if self._ends_s is None:
            return self._attempt(work, read_only, limit_s)
        delay_s = FIRST_DELAY_S
        while True:
            try:
                return self._attempt(work, read_only, min(limit_s, _left_s(self._ends_s)), **NO_RETRY)
            except UnavailableError as error:
                if not _passes(error) or time.monotonic() + delay_s > self._ends_s:
                    raise
            time.sleep(delay_s * random.uniform(0.5, 1.0))
            delay_s *= 2

    def _attempt(self, work: Callable[[Transaction], T], read_only: bool, timeout_s: float, **options: Any) -> T:
        timed = unit_of_work(timeout=timeout_s)(lambda managed: work(Transaction(managed, self._ends_s)))
        access = READ_ACCESS if read_only else WRITE_ACCESS
        with self._session(default_access_mode=access, **options) as session:
            return session.execute_read(timed) if read_only else session.execute_write(timed)

    def quick(self, name: str, /, *, timeout_s: float, **parameters: Any) -> list[Row]:
        """Run the named query as one read transaction of one round trip and return its rows; not retried.

        The session is this thread's own and used again: to open one costs a fifth of a short read.

        Raises:
            UnavailableError, GraphError: as for `read`.
        """
        self._sessions(1)
        try:
            with translated():
                session = self._mine()
                try:
                    query = _query(name, timeout_s)
                    return [dict(record) for record in session.run(query, parameters)]
                except BaseException:
                    self._own.session = None
                    session.close()
                    raise
        finally:
            self._sessions(-1)

    def _mine(self) -> Session:
        session: Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = self._driver.session(
                database=self._settings.neo4j_database,
                default_access_mode=READ_ACCESS,
                bookmark_manager=_NO_BOOKMARKS,
            )
        return session

    def stream(self, name: str, /, *, timeout_s: float, fetch_size: int = 1000, **parameters: Any) -> Iterator[Row]:
        """Run the named query in one read transaction and yield its rows as they come; not retried."""
        with self._session(default_access_mode=READ_ACCESS, fetch_size=fetch_size) as session:
            for record in session.run(Query(load(name), timeout=timeout_s), parameters):
                yield dict(record)

    def auto(self, name: str, /, *, timeout_s: float, **parameters: Any) -> list[Row]:
        """Run the named query on its own, for schema commands and `CALL { } IN TRANSACTIONS`; not retried."""
        with self._session() as session:
            return [dict(record) for record in session.run(Query(load(name), timeout=timeout_s), parameters)]

    @contextmanager
    def _session(self, **options: Any) -> Iterator[Session]:
        """Open a session, counted as long as it is open; the driver does not tell how many there are."""
        self._sessions(1)
        try:
            with translated(), self._driver.session(database=self._settings.neo4j_database, **options) as session:
                yield session
        finally:
            self._sessions(-1)


def connect(
    settings: Settings, *, retry_s: float = 15.0, sessions: Callable[[int], object] = lambda change: None
) -> Graph:
    """Return a connection; nothing is sent before the first query.

    Args:
        settings: where the server is.
        retry_s: how long a managed transaction is tried again after transient errors.
        sessions: told 1 when a session with the server begins and -1 when it ends.

    Raises:
        SettingsError: there is no password to log in with.
    """
    log = logging.getLogger("neo4j")
    if not log.handlers:
        log.addHandler(logging.NullHandler())  # retries go to a log that somebody set up, not to the terminal
    with translated():
        driver = GraphDatabase.driver(
            settings.bolt_uri,
            auth=(settings.neo4j_user, settings.password()),
            connection_timeout=5.0,
            connection_acquisition_timeout=10.0,
            max_transaction_retry_time=retry_s,
            initial_retry_delay=FIRST_DELAY_S,
            keep_alive=True,
            notifications_min_severity="OFF",
            user_agent="kithgraph",
        )
    return Graph(driver, settings, sessions)


class _NoBookmarks(BookmarkManager):
    """There is one server: what it has committed it shows, and no read has to wait for a write that it was told of."""

    def update_bookmarks(self, previous_bookmarks: Collection[str], new_bookmarks: Collection[str]) -> None:
        """Forget them."""

    def get_bookmarks(self) -> Collection[str]:
        """Return none."""
        return ()


_NO_BOOKMARKS = _NoBookmarks()


@cache
def _query(name: str, timeout_s: float) -> Query:
    return Query(load(name), timeout=timeout_s)


def _left_s(ends_s: float | None) -> float:
    """Return how much time is left.

    Raises:
        UnavailableError: none.
    """
    left_s = float("inf") if ends_s is None else ends_s - time.monotonic()
    if left_s <= 0:
        raise UnavailableError("Neo4j did not answer in the time there was")
    return left_s


def _passes(error: UnavailableError) -> bool:
    """Whether the driver would try again: nothing has been written, and the fault is one that passes."""
    return isinstance(error.__cause__, DriverError | Neo4jError) and error.__cause__.is_retryable()
