"""A trained model as numpy arrays: embeds and ranks for users and items that came after training.

Loads a model folder without torch and without numba; tables are memory-mapped, so that a process that only reads a
few rows stays small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact import read_artifact, read_tables, read_weights
from engine.errors import ArtifactError
from engine.evaluation import top_k
from engine.serving.blend import BlendWeights, PlainModel, blend, contributions, popularity, reasons, similarity
from engine.serving.features import FeatureRecipe, feature_rows
from engine.serving.forward import ForwardModel, NewEdges, embed
from engine.types import Artifact, RankedLists

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What is known of a user that the published version does not hold; dense indices of the model."""

    items: Sequence[int] = ()
    """Items acted on."""
    weights: Sequence[float] | None = None
    """Weight of each act; None: 1 each."""
    friends: Sequence[int] = ()
    attributes: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """A loaded model."""

    artifact: Artifact
    forward: ForwardModel
    recipes: Mapping[str, FeatureRecipe]
    weights: BlendWeights
    plain: PlainModel
    item_count: Floats
    """(I,) weighted popularity."""
    neighbours: RankedLists
    """(I, K) strongest weights of the item-item model."""

    def embed_user(
        self,
        item_indices: Sequence[int] = (),
        weights: Sequence[float] | None = None,
        friend_indices: Sequence[int] = (),
        attributes: Mapping[str, Any] | None = None,
    ) -> Floats:
        """Return the embedding (D,) of a user from items, friends and attributes; zeros where nothing is known.

        Raises:
            IndexError: an index that the model does not hold.
        """
        edges = {"item.acted.user": _star(item_indices, weights), "user.friend.user": _star(friend_indices, None)}
        return embed(self.forward, "user", 1, edges, self._describe("user", attributes))[0]

    def embed_item(
        self,
        user_indices: Sequence[int] = (),
        weights: Sequence[float] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Floats:
        """Return the embedding (D,) of an item from the users who acted on it and its attributes.

        Raises:
            IndexError: an index that the model does not hold.
        """
        edges = {"user.acted.item": _star(user_indices, weights)}
        return embed(self.forward, "item", 1, edges, self._describe("item", attributes))[0]

    def recommend(self, newcomer: Newcomer, k: int, hidden: Sequence[int] = ()) -> tuple[RankedLists, str]:
        """Rank all items for a user that the version does not hold.

        Returns:
            One row of at most k items with scores and reasons, and the strategy: `history`, `friends`, `attributes`
            or `popularity`, the first that applies.
        """
        embedding = self.embed_user(newcomer.items, newcomer.weights, newcomer.friends, newcomer.attributes)[None, :]
        parts = self._parts(newcomer, embedding)
        strategy = _strategy(newcomer, embedding)
        weight = self.weights.warm if strategy == "history" else self.weights.cold
        contributed = contributions(parts, weight)
        total = blend(contributed, (1, len(self.item_count)))
        total[0, [*newcomer.items, *hidden]] = -np.inf
        best = top_k(total, k)
        score = np.take_along_axis(total, best, axis=1)
        listed = np.isfinite(score)
        why = reasons(contributed, best, is_cold=strategy != "history")
        return RankedLists(np.where(listed, best, -1), np.where(listed, score, 0.0), why), strategy

    def _parts(self, newcomer: Newcomer, embedding: Floats) -> dict[str, Floats]:
        items = self.artifact.item_embedding
        parts = {"popularity": popularity(self.item_count, 1)}
        if embedding.any():
            parts["graphsage"] = similarity(embedding, items)
            parts["plain"] = self.plain.probability(embedding, items)
        if len(newcomer.items):
            weight = np.ones(len(newcomer.items)) if newcomer.weights is None else np.asarray(newcomer.weights)
            parts["itemitem"] = _spread(self.neighbours, np.asarray(newcomer.items), weight, len(items))
        if len(newcomer.friends):
            friends = np.asarray(newcomer.friends)
            weight = np.full(len(friends), 1.0 / len(friends))
            parts["friends"] = _spread(self.artifact.recommended, friends, weight, len(items))
        return parts

    def _describe(self, kind: str, attributes: Mapping[str, Any] | None) -> Floats | None:
        if not attributes or kind not in self.forward.projection:
            return None
        columns = {name: np.array([value], dtype=object) for name, value in attributes.items()}
        return feature_rows(self.recipes[kind], columns, 1).project(self.forward.projection[kind])


def load(folder: Path) -> Bundle:
    """Load a model folder, every byte checked.

    Raises:
        ArtifactError: the folder is incomplete or altered, or was not written by the interest model.
    """
    artifact = read_artifact(folder)
    tables, weights = read_tables(folder), read_weights(folder)
    serving = artifact.metrics.get("serving")
    if not serving:
        raise ArtifactError(f"{folder}: the model holds nothing to serve newcomers with")
    forward = ForwardModel(
        layers={
            kind: [tables[f"{kind}_layer{depth}"] for depth in range(serving["rounds"])] for kind in ("user", "item")
        },
        projection={kind: weights[f"projection.{kind}"] for kind in serving["projections"]},
        weights={
            name: [
                (weights[f"{name}.{d}.left"], weights[f"{name}.{d}.bias"], weights[f"{name}.{d}.root"])
                for d in range(serving["rounds"])
            ]
            for name in serving["relations"]
        },
        source_degree={name: tables[f"degree.{name}"] for name in serving["relations"]},
    )
    return Bundle(
        artifact=artifact,
        forward=forward,
        recipes={kind: FeatureRecipe.from_json(recipe) for kind, recipe in serving["recipes"].items()},
        weights=BlendWeights(serving["blend"]["warm"], serving["blend"]["cold"]),
        plain=PlainModel(weights["plain.user"], weights["plain.item"], float(weights["plain.bias"][0])),
        item_count=tables["item_count"],
        neighbours=RankedLists(tables["itemitem_target"], tables["itemitem_score"]),
    )


def serving_arrays(
    forward: ForwardModel, plain: PlainModel, item_count: NDArray[np.floating], neighbours: RankedLists
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Return the tables and weights under which `load` finds the parts of a model."""
    tables: dict[str, NDArray[Any]] = {
        "item_count": np.asarray(item_count, dtype=np.float32),
        "itemitem_target": neighbours.target,
        "itemitem_score": neighbours.score,
    }
    for kind, layers in forward.layers.items():
        tables |= {f"{kind}_layer{depth}": layer for depth, layer in enumerate(layers)}
    tables |= {f"degree.{name}": degree for name, degree in forward.source_degree.items()}
    weights: dict[str, NDArray[Any]] = {
        "plain.user": plain.user_weight,
        "plain.item": plain.item_weight,
        "plain.bias": np.array([plain.bias], dtype=np.float32),
    }
    weights |= {f"projection.{kind}": value for kind, value in forward.projection.items()}
    for name, rounds in forward.weights.items():
        for depth, (left, bias, root) in enumerate(rounds):
            weights |= {f"{name}.{depth}.left": left, f"{name}.{depth}.bias": bias, f"{name}.{depth}.root": root}
    return tables, weights


def _star(indices: Sequence[int], weights: Sequence[float] | None) -> NewEdges:
    source = np.asarray(indices, dtype=np.int32)
    weight = np.ones(len(source), np.float32) if weights is None else np.asarray(weights, dtype=np.float32)
    return NewEdges(np.array([0, len(source)]), source, weight)


def _spread(lists: RankedLists, rows: NDArray[np.integer], weight: NDArray[np.floating], items: int) -> Floats:
    """Return (1, I): weighted sum of sparse rows."""
    target, score = lists.target[rows], lists.score[rows] * weight[:, None]
    listed = target >= 0
    return np.bincount(target[listed], weights=score[listed], minlength=items).astype(np.float32)[None, :]


def _strategy(newcomer: Newcomer, embedding: Floats) -> str:
    if len(newcomer.items):
        return "history"
    if len(newcomer.friends):
        return "friends"
    return "attributes" if newcomer.attributes and embedding.any() else "popularity"
