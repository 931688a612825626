"""The interest model as a whole: named scores of every user, lists with reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import top_k
from engine.interest.adjacency import Adjacency
from engine.interest.data import InterestData
from engine.interest.friendship import Friendship
from engine.interest.linear import LinearModel
from engine.interest.sparseitems import product
from engine.interest.training import FittedEncoder
from engine.serving.blend import (
    BlendWeights,
    PlainModel,
    blend,
    contributions,
    log_lift,
    reasons,
    shares,
    similarity,
)
from engine.serving.deep import DeepModel, user_numbers
from engine.serving.features import FeatureRows
from engine.serving.forward import NewEdges, embed
from engine.serving.popular import PopularModel
from engine.serving.scorers import Scorers, towers
from engine.types import RankedLists

Parts = dict[str, NDArray[np.float32]]

BLOCK_FLOATS = 1 << 24
"""Scores of one kind that are held at once (64 MB): the users of a block follow from the number of items."""
MOST_BLOCK_USERS = 512


@dataclass(frozen=True, slots=True)
class Models:
    """The fitted parts."""

    encoder: FittedEncoder
    itemitem: LinearModel
    plain: PlainModel
    deep: DeepModel
    friendship: Friendship
    popular: PopularModel
    cold_embedding: NDArray[np.float32]
    """(U, D) every user embedded as if without history and id: attributes, friends, follows, shares received."""


@dataclass(frozen=True, slots=True)
class Ranker:
    """Fitted models and the data they were fitted on."""

    data: InterestData
    models: Models
    ties: Adjacency
    """(U, U) weights of each user's friends."""
    cold_ties: Adjacency
    """(U, U) the same as if no user had a history."""
    item_towers: tuple[NDArray[np.float32], NDArray[np.float32]]
    """The deep scorer's side of the items."""

    def parts(self, users: NDArray[np.int32]) -> Parts:
        """Return the named scores of users with a history, each (N, I)."""
        embedding = self.models.encoder.user_embedding[users]
        acts = self.data.positives.degree[users]
        return {
            **self._embedded(users, embedding, acts),
            "itemitem": self.models.itemitem.scores(users),
            **self._social(self.ties.take(users)),
            **self._popular(users),
        }

    def cold_parts(self, users: NDArray[np.int32]) -> Parts:
        """Return the named scores of users without a history, each (N, I); their own positives are not used."""
        return {
            **self._embedded(users, self.models.cold_embedding[users], np.zeros(len(users))),
            **self._social(self.cold_ties.take(users)),
            **self._popular(users),
        }

    def _embedded(self, users: NDArray[np.int32], embedding: NDArray[np.float32], acts: NDArray[np.floating]) -> Parts:
        items = self.models.encoder.item_embedding
        numbers = user_numbers(embedding, acts, self.data.friends.degree[users])
        tower = self.models.deep.tower("user", numbers, taken(self.data.user_features, users))
        return {
            "graphsage": similarity(embedding, items),
            "deep": self.models.deep.logits(tower, self.item_towers),
            "plain": self.models.plain.probability(embedding, items),
        }

    def _social(self, ties: Adjacency) -> Parts:
        if not len(self.data.friends):
            return {}
        counts = product(ties, self.data.positives)
        return {
            "friends": log_lift(counts, shares(self.models.popular.count)),
            "circle": self.models.itemitem.mixed(ties.mean_rows()),
        }

    def _popular(self, users: NDArray[np.int32]) -> Parts:
        return self.models.popular.parts(len(users), taken(self.data.user_features, users))

    @property
    def user_embedding(self) -> NDArray[np.float32]:
        """(U, D) embeddings; those of users without a history come from the forward pass of newcomers."""
        return np.where(self.is_cold()[:, None], self.models.cold_embedding, self.models.encoder.user_embedding)

    def embed_as_new(self, kind: str, described: FeatureRows) -> NDArray[np.float32]:
        """Return (N, D) embeddings of nodes of a type (`user`, `item`) from their N feature rows alone."""
        model = self.models.encoder.forward_model()
        projected = described.project(model.projection[kind]) if kind in model.projection else None
        return embed(model, kind, len(described.indptr) - 1, {}, projected)

    def scorers(self, neighbours: int) -> Scorers:
        """Return the parts as arrays, for users who come later.

        Args:
            neighbours: item-item weights kept per item, where the model has more.
        """
        models, data = self.models, self.data
        rows = models.itemitem.rows(neighbours)
        return Scorers(
            item_embedding=models.encoder.item_embedding,
            forward=models.encoder.forward_model(),
            recipes={"user": data.user_recipe, "item": data.item_recipe},
            plain=models.plain,
            deep=models.deep,
            item_towers=self.item_towers,
            popular=models.popular,
            itemitem=FeatureRows(rows.indptr, rows.indices, rows.values, rows.columns),
            item_scale=models.itemitem.scale.astype(np.float32),
            ties=models.friendship.cold,
            user_sizes=np.stack([data.friends.degree, data.positives.degree], axis=1).astype(np.int32),
        )

    def is_cold(self) -> NDArray[np.bool_]:
        """(U,) True where a user has no positive."""
        return self.data.positives.degree == 0

    def blocks(self, users: NDArray[np.int32], weights: BlendWeights) -> Iterator[tuple[NDArray[np.intp], str, Parts]]:
        """Yield (rows of `users`, their segment, their parts), segment by segment."""
        acts = self.data.positives.degree[users]
        segment = np.array([weights.segment(int(each)) for each in acts])
        size = block_users(self.data.items)
        for name in ("warm", "busy", "cold"):
            rows = np.flatnonzero(segment == name)
            for start in range(0, len(rows), size):
                chosen = rows[start : start + size]
                yield chosen, name, (self.cold_parts if name == "cold" else self.parts)(users[chosen])

    def rank(self, users: NDArray[np.int32], weights: BlendWeights, k: int, with_reasons: bool = False) -> RankedLists:
        """Return the k best items of each user (N,), masked items left out; scores are logits where calibrated."""
        k = min(k, self.data.items)
        target = np.full((len(users), k), -1, dtype=np.int32)
        score = np.zeros((len(users), k), dtype=np.float32)
        why = np.full((len(users), k, 2), 255, dtype=np.uint8)
        for rows, segment, parts in self.blocks(users, weights):
            contributed = contributions(parts, weights.of(segment))
            total = blend(contributed, (len(rows), self.data.items))
            masked = self.data.masked.take(users[rows])
            total[masked.row_of, masked.indices] = -np.inf
            best = top_k(total, k)
            value = np.take_along_axis(total, best, axis=1)
            listed = np.isfinite(value)
            logit = weights.calibrated(segment).logit(value, self.data.positives.degree[users[rows]])
            target[rows] = np.where(listed, best, -1)
            score[rows] = np.where(listed, logit, 0.0)
            if with_reasons:
                found = reasons(contributed, best, is_cold=segment == "cold")
                why[rows] = np.where(listed[..., None], found, 255)
        return RankedLists(target, score, why if with_reasons else None)


def build_ranker(data: InterestData, models: Models) -> Ranker:
    """Put the fitted models together."""
    return Ranker(
        data=data,
        models=models,
        ties=models.friendship.weigh(data),
        cold_ties=models.friendship.weigh_cold(data),
        item_towers=towers(models.deep, models.encoder.item_embedding, models.popular, data.item_features),
    )


def embed_without_history(data: InterestData, encoder: FittedEncoder, cold_ties: Adjacency) -> NDArray[np.float32]:
    """Embed every user as a new one without interactions, through the same forward pass that serving uses."""
    model = encoder.forward_model()
    edges = {
        f"{source}.{name}.user": NewEdges(matrix.indptr, matrix.indices, matrix.values)
        for source, name, matrix in (
            ("user", "friend", cold_ties),
            ("user", "follows", data.follows),
            ("user", "followedBy", data.follows.transpose()),
            ("item", "received", data.received),
        )
    }
    features = data.user_features.project(model.projection["user"]) if "user" in model.projection else None
    return embed(model, "user", data.users, edges, features)


def taken(rows: FeatureRows, nodes: NDArray[np.integer]) -> FeatureRows:
    """Return the chosen nodes' feature rows."""
    part = Adjacency(rows.indptr, rows.indices, rows.values, rows.width).take(nodes)
    return FeatureRows(part.indptr, part.indices, part.values, rows.width)


def block_users(items: int) -> int:
    """Return how many users are scored at once against so many items."""
    return max(1, min(MOST_BLOCK_USERS, BLOCK_FLOATS // max(items, 1)))
