"""Ranked lists that a version publishes: items similar to an item, users whom a user's shares reach."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import top_k
from engine.interest.linear import strongest_weights
from engine.interest.ranker import Ranker
from engine.types import EdgeProbabilities, RankedLists

SIMILAR_CANDIDATES = 200
"""Item-item weights per item that count for its nearest."""


def similar_items(ranker: Ranker, k: int) -> RankedLists:
    """Return each item's k nearest, best first, scores in (0, 1]: half embedding, half item-item model.

    score(i, j) = (cos(h_i, h_j) + w_ij / max_j w_ij) / 2. Behaviour alone is noise for an item that few acted on, the
    embedding alone forgets who acts on what together (docs/adr/0005).
    """
    models = ranker.models
    vectors, weights = models.encoder.item_embedding, strongest_weights(models.itemitem, SIMILAR_CANDIDATES)
    items, kept = len(vectors), min(k, len(vectors) - 1)
    target, score = np.full((items, k), -1, dtype=np.int32), np.zeros((items, k), dtype=np.float32)
    for start in range(0, items, 1024):
        rows = np.arange(start, min(start + 1024, items))
        closeness = vectors[rows] @ vectors.T
        known = weights.target[rows] >= 0
        row, rank = np.nonzero(known)
        largest = np.maximum(weights.score[rows].max(axis=1, initial=0.0), np.finfo(np.float32).tiny)
        closeness[row, weights.target[rows][row, rank]] += weights.score[rows][row, rank] / largest[row]
        closeness[np.arange(len(rows)), rows] = -np.inf
        best = top_k(closeness, kept)
        found = np.take_along_axis(closeness, best, axis=1) / 2
        target[rows, :kept] = np.where(found > 0, best, -1)
        score[rows, :kept] = np.where(found > 0, found, 0.0)
    return RankedLists(target, score)


def strongest(edges: EdgeProbabilities, k: int) -> RankedLists:
    """Return for each user u its k targets v of largest P(u->v) > 0, ties by the lower v."""
    kept = edges.probability > 0
    source, target, probability = edges.source[kept], edges.target[kept], edges.probability[kept]
    order = np.lexsort((target, -probability, source))
    source, target, probability = source[order], target[order], probability[order]
    start = np.searchsorted(source, np.arange(edges.nodes))
    rank = np.arange(len(source)) - start[source]
    first = rank < k
    targets = np.full((edges.nodes, k), -1, dtype=np.int32)
    scores = np.zeros((edges.nodes, k), dtype=np.float32)
    targets[source[first], rank[first]] = target[first]
    scores[source[first], rank[first]] = probability[first]
    return RankedLists(targets, scores)


def named(name: str, lists: RankedLists) -> dict[str, NDArray[Any]]:
    """Return a folder's tables of lists."""
    tables: dict[str, NDArray[Any]] = {f"{name}_target": lists.target, f"{name}_score": lists.score}
    return tables if lists.reasons is None else {**tables, f"{name}_reasons": lists.reasons}
