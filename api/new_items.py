"""Items that came after the live version was trained, placed in lists by what their attributes say.

They are found and embedded beside the requests, at most every `FRESH_S`; a request pays a product of vectors.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from api.catalogue import Catalogue
from api.encoders import Encoders
from engine.errors import EngineError
from engine.serving.live import NO_REASON
from engine.serving.shelf import ANY_AGE, ANYTHING
from engine.types import REASONS
from graph import catalogue
from graph.connection import Graph
from graph.errors import GraphError

log = logging.getLogger("kith.api")

FRESH_S = 10.0
AGAIN_S = 1.0
"""Where it could not be done."""
MOST_LOOKED_AT = 2_000
"""Newest items that are compared with those of the version."""
MOST_KEPT = 200
MOST_PLACED = 20
"""New items that may stand in one list."""
CODE = REASONS.index("attributes") * 256 + NO_REASON

Columns = tuple[Sequence[str], Sequence[float], Sequence[int]]
"""Items, scores descending, packed reasons."""


class NewItems:
    """The newest items that the live version does not hold, with their embeddings."""

    def __init__(self, kept: Catalogue, encoders: Encoders, clock: Callable[[], float] = time.monotonic) -> None:
        self._catalogue = kept
        self._encoders = encoders
        self._clock = clock
        self._lock = threading.Lock()
        self._reading: threading.Thread | None = None
        self._read_at = float("-inf")
        self._kept: tuple[str, list[str], NDArray[np.float32] | None] = ("", [], None)

    def notice(self, graph: Graph, model_version: str) -> None:
        """Look for new items beside the requests, if that was not done lately."""
        if self._clock() - self._read_at < FRESH_S and self._kept[0] == model_version:
            return
        with self._lock:
            if self._reading is None or not self._reading.is_alive():
                self._reading = threading.Thread(
                    target=self._read, args=(graph, model_version), name="new-items", daemon=True
                )
                self._reading.start()

    def wait(self) -> None:
        """Wait until what is being read is there."""
        if (reading := self._reading) is not None:
            reading.join()

    def merge(self, listed: Columns, model_version: str, user_id: str) -> Columns:
        """Return a published list with the new items where the chance that the user takes them puts them.

        Those below its last item are left out, and so are all where the model's folder is not on this machine.
        """
        version, items, vectors = self._kept
        if vectors is None or version != model_version or not listed[0]:
            return listed
        logits = self._encoders.place_new_items(model_version, user_id, vectors)
        if logits is None:
            return listed
        last = listed[1][-1]
        above = heapq.nlargest(MOST_PLACED, ((float(each), n) for n, each in enumerate(logits) if each > last))
        if not above:
            return listed
        new = [(-score, items[n], CODE) for score, n in above]
        old = zip((-score for score in listed[1]), listed[0], listed[2], strict=True)
        merged = list(heapq.merge(old, new, key=lambda each: each[0]))
        return [item for _, item, _ in merged], [-score for score, _, _ in merged], [code for _, _, code in merged]

    def _read(self, graph: Graph, model_version: str) -> None:
        found: tuple[list[str], NDArray[np.float32] | None] | None = None
        try:
            found = self._find(graph, model_version)
        except (GraphError, EngineError) as error:
            log.warning("new items were not read: %s", type(error).__name__)
        self._read_at = self._clock() - (FRESH_S - AGAIN_S if found is None else 0.0)
        self._kept = (model_version, *(found or ([], None)))

    def _find(self, graph: Graph, model_version: str) -> tuple[list[str], NDArray[np.float32] | None] | None:
        """Return the new items and their vectors, None while the version's folder is being loaded or not here."""
        newest = self._catalogue.shelf(graph).newest(ANYTHING, ANY_AGE, MOST_LOOKED_AT)
        unknown = self._encoders.unknown_items(model_version, newest)
        if unknown is None:
            return None
        described = catalogue.attributes_of(graph, unknown[:MOST_KEPT])
        vectors = self._encoders.embed_items(model_version, [attributes for _, attributes in described])
        if vectors is None:
            return None
        told = np.flatnonzero(vectors.any(axis=1)).tolist()
        return [described[n][0] for n in told], vectors[told] if told else None
