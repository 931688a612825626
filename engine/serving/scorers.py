"""Every named score of a user that a trained model does not hold, from arrays alone; numpy only.

The same functions score in `engine.interest.ranker`; a test holds them against each other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.serving.blend import SCORES, PlainModel, log_lift, shares, similarity
from engine.serving.deep import DeepModel, item_numbers, user_numbers
from engine.serving.features import FeatureRecipe, FeatureRows, feature_rows
from engine.serving.forward import ForwardModel, NewEdges, embed
from engine.serving.friendship import TieModel, newcomer_features
from engine.serving.popular import PopularModel

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What is known of a user that the published version does not hold; dense indices of the model."""

    items: Sequence[int] = ()
    """Items acted on."""
    weights: Sequence[float] | None = None
    """Weight of each act; None: 1 each."""
    friends: Sequence[int] = ()
    strengths: Sequence[float] | None = None
    """Of each friendship; None: 1 each."""
    friends_items: Sequence[Sequence[int]] = ()
    """Items that each friend acted on, one sequence per friend; empty: not known."""
    attributes: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Scorers:
    """The fitted parts as arrays; U users, I items, D dimensions."""

    item_embedding: Floats
    """(I, D) unit rows."""
    forward: ForwardModel
    recipes: Mapping[str, FeatureRecipe]
    """By node type, `user` and `item`."""
    plain: PlainModel
    deep: DeepModel
    item_towers: tuple[Floats, Floats]
    """The deep scorer's side of the items."""
    popular: PopularModel
    itemitem: FeatureRows
    """(I, I) weights between unscaled histories and scores, the strongest of each row."""
    item_scale: Floats
    """(I,) what the item-item model multiplies an act on the item with."""
    ties: TieModel | None
    """Weights of a newcomer's friends; None: by strength."""
    user_sizes: NDArray[np.int32]
    """(U, 2) friends and acts of every user."""

    def embed_user(self, newcomer: Newcomer) -> Floats:
        """Return the embedding (D,) of a user; zeros where nothing is known.

        Raises:
            IndexError: an index that the model does not hold.
        """
        edges = {
            "item.acted.user": star(newcomer.items, newcomer.weights),
            "user.friend.user": star(newcomer.friends, self.weigh_friends(newcomer)),
        }
        described = self.describe("user", newcomer.attributes)
        projected = None if described is None else described.project(self.forward.projection["user"])
        return embed(self.forward, "user", 1, edges, projected)[0]

    def embed_item(
        self, users: Sequence[int] = (), weights: Sequence[float] | None = None, attributes: Any = None
    ) -> Floats:
        """Return the embedding (D,) of an item from the users who acted on it and its attributes; zeros without any.

        Raises:
            IndexError: an index that the model does not hold.
        """
        described = self.describe("item", attributes)
        projected = None if described is None else described.project(self.forward.projection["item"])
        return embed(self.forward, "item", 1, {"user.acted.item": star(users, weights)}, projected)[0]

    def parts(self, newcomer: Newcomer, wanted: Collection[str] = SCORES) -> dict[str, Floats]:
        """Return the named scores that something is known for, each (1, I).

        Args:
            newcomer: whose.
            wanted: `deep` and `plain` are left out unless they are named: they cost most.
        """
        embedding = self.embed_user(newcomer)[None, :]
        described = feature_rows(self.recipes["user"], _columns(newcomer.attributes), 1)
        parts = self.popular.parts(1, described)
        if embedding.any():
            parts["graphsage"] = similarity(embedding, self.item_embedding)
            if "deep" in wanted:
                sizes = np.array([len(newcomer.items)]), np.array([len(newcomer.friends)])
                tower = self.deep.tower("user", user_numbers(embedding, *sizes), described)
                parts["deep"] = self.deep.logits(tower, self.item_towers)
            if "plain" in wanted:
                parts["plain"] = self.plain.probability(embedding, self.item_embedding)
        if len(newcomer.items):
            weight = np.ones(len(newcomer.items)) if newcomer.weights is None else np.asarray(newcomer.weights)
            parts["itemitem"] = self._spread(np.asarray(newcomer.items), weight)
        if newcomer.friends_items:
            parts |= self._social(newcomer)
        return parts

    def weigh_friends(self, newcomer: Newcomer) -> Floats:
        """Return the weight (F,) of each friend, >= 0."""
        friends = np.asarray(newcomer.friends, dtype=np.int64)
        strength = np.ones(len(friends)) if newcomer.strengths is None else np.asarray(newcomer.strengths, np.float64)
        if self.ties is None or not len(friends):
            return strength.astype(np.float32)
        sizes = self.user_sizes[friends]
        return self.ties.weights(newcomer_features(strength, sizes[:, 0], sizes[:, 1]))

    def describe(self, kind: str, attributes: Mapping[str, Any] | None) -> FeatureRows | None:
        """Return one row of features; None where there is nothing to describe or no projection for it."""
        if not attributes or kind not in self.forward.projection:
            return None
        return feature_rows(self.recipes[kind], _columns(attributes), 1)

    def _social(self, newcomer: Newcomer) -> dict[str, Floats]:
        weight = self.weigh_friends(newcomer)
        if not weight.any():
            return {}
        counts = np.zeros(len(self.item_scale), dtype=np.float32)
        for of_friend, items in zip(weight, newcomer.friends_items, strict=True):
            counts[np.asarray(items, dtype=np.int64)] += of_friend
        mean = counts / max(float(weight.sum()), 1e-9)
        met = np.flatnonzero(mean)
        circle = self._spread(met, mean[met]) + (mean * self.item_scale)[None, :]
        return {"friends": log_lift(counts[None, :], shares(self.popular.count)), "circle": circle}

    def _spread(self, items: NDArray[np.integer], weight: NDArray[np.floating]) -> Floats:
        """Return (1, I): weighted sum of the items' rows of weights."""
        first, last = self.itemitem.indptr[items], self.itemitem.indptr[items + 1]
        place = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)] or [np.zeros(0, np.int64)])
        value = self.itemitem.values[place] * np.repeat(weight, last - first)
        total = np.bincount(self.itemitem.indices[place], weights=value, minlength=len(self.item_scale))
        return total.astype(np.float32)[None, :]


def towers(deep: DeepModel, embedding: Floats, popular: PopularModel, described: FeatureRows) -> tuple[Floats, Floats]:
    """Return the deep scorer's side of the items."""
    return deep.tower("item", item_numbers(embedding, popular.count), described)


def star(indices: Sequence[int], weights: Sequence[float] | Floats | None) -> NewEdges:
    """Return edges from trained nodes into one new node; those without weight are left out."""
    source = np.asarray(indices, dtype=np.int32)
    weight = np.ones(len(source), np.float32) if weights is None else np.asarray(weights, dtype=np.float32)
    kept = weight > 0
    return NewEdges(np.array([0, int(kept.sum())]), source[kept], weight[kept])


def _columns(attributes: Mapping[str, Any] | None) -> dict[str, NDArray[Any]]:
    return {name: np.array([value], dtype=object) for name, value in (attributes or {}).items()}
