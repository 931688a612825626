"""What the views of one process share: settings, the connection to the graph, caches. Made when first used.

Nothing is opened before the first request, so a server may fork or spawn after the application was made; a process
that finds itself forked with another's connection makes its own.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import cast

from flask import current_app, g

from api.cascade_events import Watch
from api.catalogue import Catalogue
from api.encoders import Encoders
from api.keyring import Keyring
from api.metrics import RequestMetrics
from api.metrics_state import StateMetrics
from api.new_items import NewItems
from api.popular import PopularItems
from api.served import Served
from api.streams import Streams
from graph import audience, keys, queries, rehearsal, share_people
from graph.connection import Graph, connect
from graph.errors import GraphError, NotFoundError, UnavailableError
from graph.settings import Settings
from graph.signing import Signer

log = logging.getLogger("kith.api")

RETRY_S = 2.3
"""Transient errors are tried again for this long: with the driver's waits of 1 s and 2 s an answer comes in 4 s."""
ANSWER_PART = 0.6
"""Of `KITH_READ_TIMEOUT_S`: a request may wait so long for what does not grow with its size."""
WRITERS = 2
"""Large requests that one process writes at a time: more would only wait for each other's locks in Neo4j."""
WARM_SEARCHES = 5
WARM_USERS = 20
"""Users whose lists are prepared before `/ready`: the first reads of Neo4j and of the encoder's tables are slow."""
NEAREST = 200
"""Items that newcomers' lists are made from."""
LARGE = 20
"""Events of a large request."""


class Services:
    """One per application object."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keyring = Keyring()
        self.popular = PopularItems()
        self.catalogue = Catalogue(settings.catalogue_items)
        self.encoders = Encoders(settings.artifacts)
        self.new_items = NewItems(self.catalogue, self.encoders)
        self.watch = Watch(lambda: self.graph)
        self.streams = Streams(settings.api_streams, self._stream)
        self.ending = threading.Event()
        """Set when the server process is to end: streams stop at once."""
        self.served = Served(settings, lambda: self.metrics, self.ending)
        self._warming: threading.Thread | None = None
        self._writers = threading.BoundedSemaphore(WRITERS)
        self._lock = threading.RLock()
        self._graph: Graph | None = None
        self._owner = 0
        self._metrics: RequestMetrics | None = None
        self._counter = 0

    @property
    def graph(self) -> Graph:
        """The process's connection to Neo4j.

        Raises:
            SettingsError: there is no password to log in with.
        """
        if self._graph is None or self._owner != os.getpid():
            with self._lock:
                if self._graph is None or self._owner != os.getpid():
                    self._graph, self._owner = self._connect(), os.getpid()
        return self._graph

    def within(self, more_s: float = 0.0) -> Graph:
        """Return the connection for work that ends in time for the answer to the request that is handled.

        Args:
            more_s: what the request may take because of its size.
        """
        return self.graph.until(self._ends_s() + more_s)

    @contextmanager
    def writing(self, events: int) -> Iterator[None]:
        """Wait for a turn to write so many events; few need none.

        Raises:
            UnavailableError: none came in the time that the request may wait.
        """
        if events < LARGE:
            yield
            return
        if not self._writers.acquire(timeout=max(self._ends_s() - time.monotonic(), 0.0)):
            raise UnavailableError("other requests are being written")
        try:
            yield
        finally:
            self._writers.release()

    def _ends_s(self) -> float:
        return g.began_s + ANSWER_PART * self.settings.read_timeout_s

    @property
    def metrics(self) -> RequestMetrics:
        """What this process counts."""
        if self._metrics is None or self._counter != os.getpid():
            with self._lock:
                if self._metrics is None or self._counter != os.getpid():
                    self._metrics = RequestMetrics(self.settings.home / "run" / "metrics")
                    self._counter = os.getpid()
        return self._metrics

    @cached_property
    def state(self) -> StateMetrics:
        """Reads how the parts behind the API are doing."""
        return StateMetrics(lambda: self.graph, self.settings)

    def _connect(self) -> Graph:
        return connect(self.settings, retry_s=RETRY_S, sessions=self.metrics.sessions.inc)

    def _stream(self, change: int) -> None:
        self.metrics.streams.inc(change)

    @cached_property
    def signer(self) -> Signer:
        """Signs recommendation ids and cursors.

        Raises:
            SettingsError: there is no signing key.
        """
        return Signer(self.settings.signing_secret())

    def warm_up(self) -> None:
        """Have Neo4j plan and compile what most requests need, beside the first of them; processes share its plans.

        Without Neo4j the first callers wait for it instead.
        """
        self._warming = threading.Thread(target=self._warm_up, name="warm-up", daemon=True)
        self._warming.start()

    @property
    def is_warm(self) -> bool:
        """Whether no warm-up is going on."""
        return self._warming is None or not self._warming.is_alive()

    def _warm_up(self) -> None:
        began = time.monotonic()
        try:
            queries.warm_up(self.graph)
            share_people.warm_up(self.graph)
            audience.warm_up(self.graph)
            keys.plan(self.graph)
            self.catalogue.shelf(self.graph)
            self.popular.top(self.graph)
            self._warm_up_for_newcomers()
            rehearsal.rehearse(self.graph)
            # What is there now stays: the collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            log.info("warm after %.1f s", time.monotonic() - began)
        except GraphError as error:
            log.warning("no warm-up: %s", error)

    def _warm_up_for_newcomers(self) -> None:
        """Load the encoder, search as for a newcomer (Neo4j reads its vector index then), and rank for some users."""
        version = self._load_encoder()
        if version is None:
            return
        if (vector := self.encoders.example(version)) is not None:
            for _ in range(WARM_SEARCHES):
                queries.nearest_items(self.graph, version, vector, NEAREST)
        self._rank_some_users(version)

    def _load_encoder(self) -> str | None:
        """Wait for the live version's encoder and return the version, None where none is published."""
        live = queries.published(self.graph)
        if live is None:
            return None
        self.encoders.notice(live["modelVersion"])
        self.encoders.wait()
        return live["modelVersion"]

    def _rank_some_users(self, model_version: str) -> None:
        for user_id in queries.some_users(self.graph, WARM_USERS):
            try:
                inputs = queries.recommendation_inputs(
                    self.graph, user_id, now_s=int(time.time()), timeout_s=self.settings.read_timeout_s
                )
            except NotFoundError:  # deleted since
                continue
            friends, attributes = queries.user_inputs(self.graph, user_id)
            self.encoders.rank(model_version, inputs.recent, friends, attributes, NEAREST)

    def read_ahead(self) -> None:
        """Wait for what a server reads beside its first requests: the live version's encoder and items newer than it.

        Raises:
            UnavailableError: Neo4j does not answer.
        """
        if (version := self._load_encoder()) is not None:
            self.new_items.notice(self.graph, version)
            self.new_items.wait()

    def close(self) -> None:
        """Close the connection, if this process opened one, and end the threads that read for `/metrics`."""
        if "state" in self.__dict__:
            self.state.close()
        self.served.close()
        if self._graph is not None and self._owner == os.getpid():
            self._graph.close()
        self._graph = None


def services() -> Services:
    """Return the services of the application that handles the request."""
    return cast("Services", current_app.extensions["kith"])
