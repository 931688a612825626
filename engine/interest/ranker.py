"""The interest model as a whole: named scores of every user, weights fitted on a cut, lists with reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import Truth, hit_matrix, ndcg_at, recall_at, top_k
from engine.interest.adjacency import Adjacency
from engine.interest.data import InterestData
from engine.interest.itemitem import ItemItem
from engine.interest.training import FittedEncoder
from engine.serving.blend import (
    SCORES,
    BlendWeights,
    PlainModel,
    blend,
    contributions,
    popularity,
    reasons,
    similarity,
    standardise,
)
from engine.serving.forward import NewEdges, embed
from engine.types import RankedLists

Parts = dict[str, NDArray[np.float32]]
PartsOf = Callable[[NDArray[np.int32]], Parts]

BLOCK_USERS = 512
CANDIDATES = 60
"""Best items of each score that compete while weights are fitted."""
RATIOS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
"""Weights that are tried, relative to the largest other weight: scores differ in how far their best items stand out."""


@dataclass(frozen=True, slots=True)
class Ranker:
    """Fitted models and the data they were fitted on."""

    data: InterestData
    encoder: FittedEncoder
    itemitem: ItemItem
    plain: PlainModel
    friends: Adjacency
    """(U, U) mean over a user's friends, by strength."""
    cold_embedding: NDArray[np.float32]
    """(U, D) every user embedded as if without history and id: attributes, friends, follows, shares received."""
    item_count: NDArray[np.float64]
    """(I,) sum of the weights of an item's positives."""

    def parts(self, users: NDArray[np.int32]) -> Parts:
        """Return the named scores of users with a history, each (N, I)."""
        return {
            "graphsage": similarity(self.encoder.user_embedding[users], self.encoder.item_embedding),
            "itemitem": self.itemitem.scores(users),
            "plain": self.plain.probability(self.encoder.user_embedding[users], self.encoder.item_embedding),
            **self._shared_parts(users),
        }

    def cold_parts(self, users: NDArray[np.int32]) -> Parts:
        """Return the named scores of users without a history, each (N, I); their own positives are not used."""
        embedding = self.cold_embedding[users]
        return {
            "graphsage": similarity(embedding, self.encoder.item_embedding),
            "plain": self.plain.probability(embedding, self.encoder.item_embedding),
            **self._shared_parts(users),
        }

    def _shared_parts(self, users: NDArray[np.int32]) -> Parts:
        parts = {"popularity": popularity(self.item_count, len(users))}
        if len(self.friends):
            parts["friends"] = self.itemitem.mixed(self.friends.take(users))
        return parts

    @property
    def user_embedding(self) -> NDArray[np.float32]:
        """(U, D) embeddings; those of users without a history come from the forward pass of newcomers."""
        return np.where(self.is_cold()[:, None], self.cold_embedding, self.encoder.user_embedding)

    def is_cold(self) -> NDArray[np.bool_]:
        """(U,) True where a user has no positive."""
        return self.data.positives.degree == 0

    def blocks(self, users: NDArray[np.int32]) -> Iterator[tuple[NDArray[np.intp], bool, Parts]]:
        """Yield (rows of `users`, whether they are cold, their parts), warm users first."""
        cold = self.is_cold()[users]
        for state in (False, True):
            rows = np.flatnonzero(cold == state)
            for start in range(0, len(rows), BLOCK_USERS):
                chosen = rows[start : start + BLOCK_USERS]
                yield chosen, state, (self.cold_parts if state else self.parts)(users[chosen])

    def rank(self, users: NDArray[np.int32], weights: BlendWeights, k: int, with_reasons: bool = False) -> RankedLists:
        """Return the k best items of each user (N,), masked items left out."""
        k = min(k, self.data.items)
        target = np.full((len(users), k), -1, dtype=np.int32)
        score = np.zeros((len(users), k), dtype=np.float32)
        why = np.full((len(users), k, 2), 255, dtype=np.uint8)
        for rows, cold, parts in self.blocks(users):
            weight = weights.cold if cold else weights.warm
            contributed = contributions(parts, weight)
            total = blend(contributed, (len(rows), self.data.items))
            masked = self.data.masked.take(users[rows])
            total[masked.row_of, masked.indices] = -np.inf
            best = top_k(total, k)
            value = np.take_along_axis(total, best, axis=1)
            listed = np.isfinite(value)
            target[rows] = np.where(listed, best, -1)
            score[rows] = np.where(listed, value, 0.0)
            if with_reasons:
                why[rows] = np.where(listed[..., None], reasons(contributed, best, is_cold=cold), 255)
        return RankedLists(target, score, why if with_reasons else None)


def build_ranker(data: InterestData, encoder: FittedEncoder, itemitem: ItemItem, plain: PlainModel) -> Ranker:
    """Put the fitted models together."""
    return Ranker(
        data=data,
        encoder=encoder,
        itemitem=itemitem,
        plain=plain,
        friends=data.friends.mean_rows(),
        cold_embedding=embed_without_history(data, encoder),
        item_count=np.bincount(data.positives.indices, weights=data.positives.values, minlength=data.items),
    )


def embed_without_history(data: InterestData, encoder: FittedEncoder) -> NDArray[np.float32]:
    """Embed every user as a new one without interactions, through the same forward pass that serving uses."""
    model = encoder.forward_model()
    edges = {
        f"{source}.{name}.user": NewEdges(matrix.indptr, matrix.indices, matrix.values)
        for source, name, matrix in (
            ("user", "friend", data.friends),
            ("user", "follows", data.follows),
            ("user", "followedBy", data.follows.transpose()),
            ("item", "received", data.received),
        )
    }
    features = data.user_features.project(model.projection["user"]) if "user" in model.projection else None
    return embed(model, "user", data.users, edges, features)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Standardised scores of competing items for users of a cut."""

    names: tuple[str, ...]
    scores: NDArray[np.float32]
    """(N, C, S); -inf in the first score where a row has fewer candidates."""
    relevant: NDArray[np.bool_]
    """(N, C) whether the candidate is held out for the user."""
    counts: NDArray[np.int64]
    """(N,) held-out items of the user."""

    def measure(self, weights: NDArray[np.float64]) -> dict[str, float]:
        """Return recall@20 and ndcg@20 under weights (S,)."""
        total = self.scores @ weights.astype(np.float32)
        hits = np.take_along_axis(self.relevant, top_k(total, 20), axis=1)
        recall, ndcg = recall_at(hits, self.counts, 20), ndcg_at(hits, self.counts, 20)
        return {"recall@20": float(recall.mean()), "ndcg@20": float(ndcg.mean())}

    def quality(self, weights: NDArray[np.float64]) -> float:
        """Return the sum of Recall@20 and NDCG@20 under weights (S,)."""
        return sum(self.measure(weights).values())


def gather_candidates(parts_of: PartsOf, masked: Adjacency, truth: Truth) -> Candidates:
    """Collect each score's best items for the users of a cut, every score standardised over all items."""
    names: tuple[str, ...] = ()
    scores, relevant = [], []
    for start in range(0, len(truth), BLOCK_USERS):
        part = truth.take(np.arange(start, min(start + BLOCK_USERS, len(truth))))
        raw = parts_of(part.user)
        names = tuple(name for name in SCORES if name in raw)
        known = masked.take(part.user)
        stack, chosen = [], []
        for name in names:
            scaled = standardise(raw[name])
            open_to = scaled.copy()
            open_to[known.row_of, known.indices] = -np.inf
            chosen.append(top_k(open_to, CANDIDATES))
            stack.append(scaled)
        pool = np.sort(np.concatenate(chosen, axis=1), axis=1)
        values = np.stack([np.take_along_axis(scaled, pool, axis=1) for scaled in stack], axis=-1)
        barred = np.zeros(pool.shape, dtype=bool)
        barred[:, 1:] = pool[:, 1:] == pool[:, :-1]
        rows = np.arange(len(part))[:, None]
        closed = np.zeros(raw[names[0]].shape, dtype=bool)
        closed[known.row_of, known.indices] = True
        values[barred | closed[rows, pool]] = -1e6
        scores.append(values)
        relevant.append(hit_matrix(pool, part) & ~barred)
    return Candidates(names, np.concatenate(scores), np.concatenate(relevant), truth.counts)


def fit_weights(
    candidates: Candidates, start: Mapping[str, float], fixed: frozenset[str] = frozenset(), rounds: int = 4
) -> dict[str, float]:
    """Fit weights >= 0 by coordinate ascent on NDCG@20 + Recall@20 of the cut.

    Args:
        candidates: of the cut's users.
        start: first weights; a score that is missing starts at 0.
        fixed: scores whose weight stays (an ablation pins them to 0).
        rounds: most passes over the scores.
    """
    weights = np.array([start.get(name, 0.0) for name in candidates.names])
    best = candidates.quality(weights)
    for _ in range(rounds):
        before = best
        for place, name in enumerate(candidates.names):
            others = np.delete(weights, place).max(initial=0.0)
            if name in fixed or others == 0.0:
                continue
            for ratio in RATIOS:
                tried = weights.copy()
                tried[place] = ratio * others
                value = candidates.quality(tried)
                if value > best + 1e-6:
                    best, weights = value, tried
        if best - before < 2e-4:
            break
    top = weights.max()
    return {name: round(float(w / top), 4) for name, w in zip(candidates.names, weights, strict=True)} if top else {}
