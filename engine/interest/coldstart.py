"""`kith evaluate cold-start`: users and items of whom nothing was seen, each path against popularity, paired.

A draw strips users of their whole history (and of the other things that its path may not know), fits everything anew
without them, and ranks all items for them by the path's weights. Another draw strips items of all that was done with
them and ranks those items alone: popularity knows nothing of them, so their category's popularity stands in for it.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import Truth, hit_matrix, ndcg_at, recall_at, top_k, truth_of
from engine.interest.adjacency import Adjacency, from_pairs
from engine.interest.cut import make_cut
from engine.interest.data import InterestData, from_any
from engine.interest.model import Choice, choose
from engine.interest.ranker import Ranker, block_users, taken
from engine.interest.threads import set_threads
from engine.interest.training import EncoderSettings, Report
from engine.serving.blend import NEW_ITEM, blend, contributions
from engine.serving.features import FeatureRows

USERS = 1000
"""Users that a draw strips, at most a third of those who could be."""
ITEM_SHARE = 0.05
"""Share of the items with acts that a draw strips."""
LIST = 20
PATHS = ("friends", "attributes", "friends_and_attributes")
"""What is left of a stripped user."""


def evaluate_cold_start(
    folder: Path,
    draws: int = 5,
    seed: int = 0,
    settings: EncoderSettings | None = None,
    report: Report | None = None,
    *,
    texts: bool = True,
) -> dict[str, Any]:
    """Measure every path that the data allows.

    Args:
        folder: a benchmark folder with friends, or a snapshot with attributes too.
        draws: how often users (and items) are stripped and everything is fitted anew.
        seed: of everything random.
        settings: of the encoder; its seed is replaced.
        report: called with progress.
        texts: whether the vectors of texts are used; without them only hashed words are.

    Returns:
        Per path: users, Recall@20 and NDCG@20 of the path and of popularity, the mean difference of NDCG@20 with its
        paired bootstrap interval, and the share of draws of the bootstrap in which the path is ahead; None where the
        data has nothing for a path. `items`: the stripped items alone, against a random order. `items_in_lists`: lists
        of all items with the stripped ones in their places, against the lists without them.

    Raises:
        DataError: a file is missing or malformed.
    """
    began = time.perf_counter()
    set_threads()
    data = from_any(folder, seed)
    data = data if texts else data.without_texts()
    found: dict[str, list[dict[str, NDArray[np.float64]]]] = {}
    for draw in range(draws):
        rng = np.random.default_rng([seed, 11, draw])
        encoder = replace(settings or EncoderSettings(), seed=seed + draw)
        for path in PATHS:
            able = _able(data, path)
            if len(able):
                stripped = np.sort(rng.choice(able, min(USERS, max(len(able) // 3, 1)), replace=False))
                found.setdefault(path, []).append(_draw_users(data, path, stripped, encoder, report))
        if len(data.item_features.indices):
            alone, in_lists = _draw_items(data, rng, encoder, report)
            found.setdefault("items", []).append(alone)
            if in_lists is not None:
                found.setdefault("items_in_lists", []).append(in_lists)
    result: dict[str, Any] = {
        path: _summary(found[path], seed) if path in found else None for path in (*PATHS, "items", "items_in_lists")
    }
    result["draws"] = draws
    result["seed"] = seed
    result["seconds"] = round(time.perf_counter() - began, 2)
    result["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    result["n"] = sum(len(each["path_ndcg"]) for draws_of in found.values() for each in draws_of)
    return result


def _able(data: InterestData, path: str) -> NDArray[np.int64]:
    """Return the users with a history whom the path could describe."""
    friends, described = data.friends.degree > 0, np.diff(data.user_features.indptr) > 0
    known = {"friends": friends, "attributes": described, "friends_and_attributes": friends & described}[path]
    return np.flatnonzero(known & (data.positives.degree > 0))


def _draw_users(
    data: InterestData, path: str, users: NDArray[np.int64], settings: EncoderSettings, report: Report | None
) -> dict[str, NDArray[np.float64]]:
    """Return Recall@20 and NDCG@20 per stripped user, of the path and of popularity."""
    is_stripped = np.zeros(data.users, dtype=bool)
    is_stripped[users] = True
    held = is_stripped[data.positives.row_of]
    truth = truth_of(data.positives.row_of[held], data.positives.indices[held])
    left = _known(data.without(held), path, is_stripped)
    choice = choose(make_cut(left, settings.seed), settings, report)
    return _compare(choice.ranker, dict(choice.weights.cold), truth)


def _known(data: InterestData, path: str, stripped: NDArray[np.bool_]) -> InterestData:
    """Return the data in which the stripped users have only what their path may know."""
    received = _without_rows(data.received, stripped)
    follows = _without_rows(_without_rows(data.follows, stripped).transpose(), stripped).transpose()
    data = replace(data, received=received, follows=follows)
    if path == "attributes":
        ties = _without_rows(_without_rows(data.friends, stripped).transpose(), stripped)
        return replace(data, friends=ties)
    if path == "friends":
        return replace(data, user_features=_silenced(data.user_features, stripped))
    return data


def _silenced(rows: FeatureRows, gone: NDArray[np.bool_]) -> FeatureRows:
    kept = _without_rows(Adjacency(rows.indptr, rows.indices, rows.values, rows.width), gone)
    return FeatureRows(kept.indptr, kept.indices, kept.values, rows.width)


def _without_rows(matrix: Adjacency, gone: NDArray[np.bool_]) -> Adjacency:
    kept = ~gone[matrix.row_of]
    return from_pairs(matrix.row_of[kept], matrix.indices[kept], matrix.shape, matrix.values[kept])


def _compare(ranker: Ranker, weights: Mapping[str, float], truth: Truth) -> dict[str, NDArray[np.float64]]:
    found: dict[str, list[NDArray[np.float64]]] = {}
    size = block_users(ranker.data.items)
    for start in range(0, len(truth), size):
        part = truth.take(np.arange(start, min(start + size, len(truth))))
        parts = ranker.cold_parts(part.user)
        total = blend(contributions(parts, weights), (len(part), ranker.data.items))
        for name, scores in (("path", total), ("popularity", np.ascontiguousarray(parts["popularity"]))):
            for metric, values in _metrics(name, top_k(scores, LIST), part).items():
                found.setdefault(metric, []).append(values)
    return {name: np.concatenate(values) for name, values in found.items()}


def _draw_items(
    data: InterestData, rng: np.random.Generator, settings: EncoderSettings, report: Report | None
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]] | None]:
    """Return the metrics of users over stripped items alone, and of lists that hold them (None: they hold none).

    Alone the items are ranked by the embedding of their attributes, against an order at random.
    """
    acted = np.flatnonzero((np.bincount(data.positives.indices, minlength=data.items) > 0) & _described(data))
    items = np.sort(rng.choice(acted, max(2, int(ITEM_SHARE * len(acted))), replace=False))
    is_stripped = np.zeros(data.items, dtype=bool)
    is_stripped[items] = True
    held = is_stripped[data.positives.indices]
    left = data.without(held)
    received = left.received.transpose()
    left = replace(
        left,
        received=_without_rows(received, is_stripped).transpose(),
        item_features=_silenced(data.item_features, is_stripped),
    )
    choice = choose(make_cut(left, settings.seed), settings, report)
    place = np.full(data.items, -1, dtype=np.int64)
    place[items] = np.arange(len(items))
    row, column = data.positives.row_of[held], data.positives.indices[held]
    truth = truth_of(row, place[column])
    truth = truth.take(np.flatnonzero(choice.ranker.data.positives.degree[truth.user] > 0))
    vectors = choice.ranker.embed_as_new("item", taken(data.item_features, items))
    scores = {
        "path": choice.ranker.models.encoder.user_embedding[truth.user] @ vectors.T,
        "popularity": np.broadcast_to(rng.random(len(items)).astype(np.float32), (len(truth), len(items))),
    }
    found = {}
    for name, matrix in scores.items():
        found |= _metrics(name, top_k(np.ascontiguousarray(matrix), LIST), truth)
    return found, _draw_lists(choice, items, vectors, (row, column))


def _draw_lists(
    choice: Choice,
    items: NDArray[np.int64],
    vectors: NDArray[np.float32],
    taken_new: tuple[NDArray[np.int32], NDArray[np.int32]],
) -> dict[str, NDArray[np.float64]] | None:
    """Return the metrics of lists with the stripped items where their chance puts them, and of lists without them."""
    chance = choice.weights.calibration.get(NEW_ITEM)
    if chance is None:
        return None
    held = choice.cut.validation
    asked = np.isin(taken_new[0], held.user)
    truth = truth_of(
        np.concatenate([np.repeat(held.user, held.counts), taken_new[0][asked]]),
        np.concatenate([held.item, taken_new[1][asked]]),
    )
    listed = choice.ranker.rank(truth.user, choice.weights, LIST + len(items))
    old = np.where(np.isin(listed.target, items), -1, listed.target)
    order = np.argsort(old < 0, axis=1, kind="stable")[:, :LIST]
    old, score = np.take_along_axis(old, order, axis=1), np.take_along_axis(listed.score, order, axis=1)
    score = np.where(old < 0, -np.inf, score)
    acts = choice.ranker.data.positives.degree[truth.user]
    logit = chance.logit(choice.ranker.models.encoder.user_embedding[truth.user] @ vectors.T, acts)
    both = np.concatenate([old, np.broadcast_to(items.astype(np.int32), logit.shape)], axis=1)
    best = top_k(np.ascontiguousarray(np.concatenate([score, logit], axis=1)), LIST)
    return _metrics("path", np.take_along_axis(both, best, axis=1), truth) | _metrics("popularity", old, truth)


def _metrics(name: str, top: NDArray[np.int32], truth: Truth) -> dict[str, NDArray[np.float64]]:
    hits = hit_matrix(top, truth)
    return {
        f"{name}_recall": recall_at(hits, truth.counts, LIST),
        f"{name}_ndcg": ndcg_at(hits, truth.counts, LIST),
    }


def _described(data: InterestData) -> NDArray[np.bool_]:
    return np.diff(data.item_features.indptr) > 0


def _summary(draws: list[dict[str, NDArray[np.float64]]], seed: int) -> dict[str, Any]:
    """Return the means over all draws and the paired bootstrap of the difference of NDCG@20."""
    joined = {name: np.concatenate([draw[name] for draw in draws]) for name in draws[0]}
    difference = joined["path_ndcg"] - joined["popularity_ndcg"]
    rng = np.random.default_rng(seed)
    means = [difference[rng.integers(0, len(difference), len(difference))].mean() for _ in range(2000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return {
        "users": len(difference),
        "recall@20": float(joined["path_recall"].mean()),
        "ndcg@20": float(joined["path_ndcg"].mean()),
        "popularity": {
            "recall@20": float(joined["popularity_recall"].mean()),
            "ndcg@20": float(joined["popularity_ndcg"].mean()),
        },
        "difference": float(difference.mean()),
        "interval": (float(low), float(high)),
        "ahead": float(np.mean(np.array(means) > 0)),
    }
