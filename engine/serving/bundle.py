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
from engine.serving.blend import NEW_ITEM, BlendWeights, PlainModel, blend, contributions, reasons
from engine.serving.deep import DeepModel, quantised, restored
from engine.serving.features import FeatureRecipe, FeatureRows, needs
from engine.serving.forward import ForwardModel
from engine.serving.friendship import TieModel
from engine.serving.popular import PopularModel
from engine.serving.propagation import Propagation
from engine.serving.scorers import Newcomer, Scorers
from engine.serving.sharetarget.ranker import Ranker
from engine.serving.sharing import ALPHA, BETA, UNFITTED, Weights
from engine.types import Artifact, RankedLists

Floats = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A loaded model."""

    artifact: Artifact
    scorers: Scorers
    weights: BlendWeights
    share_ranker: Ranker | None = None
    """None: the shop had too few shares to learn from."""
    propagation: Propagation | None = None
    """None: too few of them were acted on."""

    @property
    def formula(self) -> Weights:
        """The weights of the propagation formula that the shop's shares were fitted with."""
        told = self.artifact.metrics
        if ALPHA not in told or BETA not in told:
            return UNFITTED
        return Weights(float(told[ALPHA]), float(told[BETA]))

    def embed_user(
        self,
        items: Sequence[int] = (),
        weights: Sequence[float] | None = None,
        friends: Sequence[int] = (),
        attributes: Mapping[str, Any] | None = None,
    ) -> Floats:
        """Return the embedding (D,) of a user from items, friends and attributes; zeros where nothing is known.

        Raises:
            IndexError: an index that the model does not hold.
        """
        return self.scorers.embed_user(Newcomer(items, weights, friends, attributes=attributes))

    def embed_item(
        self,
        users: Sequence[int] = (),
        weights: Sequence[float] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Floats:
        """Return the embedding (D,) of an item from the users who acted on it and its attributes.

        Raises:
            IndexError: an index that the model does not hold.
        """
        return self.scorers.embed_item(users, weights, attributes)

    def embed_items(self, described: Sequence[Mapping[str, Any]]) -> Floats:
        """Return the embeddings (N, D) of items that came after training from their attributes."""
        rows = [self.scorers.embed_item(attributes=attributes) for attributes in described]
        return np.stack(rows) if rows else np.zeros((0, self.artifact.item_embedding.shape[1]), np.float32)

    def place_new_items(self, user: Floats, acts: int, vectors: Floats) -> Floats | None:
        """Return the logits (N,) of the chance that a user takes items that came after training.

        Args:
            user: (D,) embedding.
            acts: how many items the user acted on.
            vectors: (N, D) of the items.

        Returns:
            None where attributes of items told nothing when the model was trained, or the user's embedding is zero.
        """
        chance = self.weights.calibration.get(NEW_ITEM)
        if chance is None or not user.any():
            return None
        return chance.logit((vectors @ user)[None, :], np.array([acts]))[0]

    def recommend(self, newcomer: Newcomer, k: int, hidden: Sequence[int] = ()) -> tuple[RankedLists, str]:
        """Rank all items for a user that the version does not hold.

        Returns:
            One row of at most k items with scores (logits where calibrated) and reasons, and the strategy: `history`,
            `friends`, `attributes` or `popularity`, the first that applies.
        """
        acts = len(newcomer.items)
        segment = self.weights.segment(acts)
        weights = self.weights.of(segment)
        parts = self.scorers.parts(newcomer, {name for name, weight in weights.items() if weight})
        strategy = _strategy(newcomer, parts)
        contributed = contributions(parts, weights)
        total = blend(contributed, (1, len(self.scorers.item_scale)))
        total[0, [*newcomer.items, *hidden]] = -np.inf
        best = top_k(total, k)
        score = np.take_along_axis(total, best, axis=1)
        listed = np.isfinite(score)
        logit = self.weights.calibrated(segment).logit(score, np.array([acts]))
        why = reasons(contributed, best, is_cold=segment == "cold")
        return RankedLists(np.where(listed, best, -1), np.where(listed, logit, 0.0), why), strategy


def load(folder: Path) -> Bundle:
    """Load a model folder, every byte checked.

    Raises:
        ArtifactError: the folder is incomplete or altered, or was not written by the interest model.
    """
    artifact = read_artifact(folder)
    tables, weights = read_tables(folder), read_weights(folder)
    card = artifact.metrics.get("serving")
    if not card or "ties" not in card:
        raise ArtifactError(f"{folder}: the model holds nothing to serve newcomers with, or is of an older form")
    recipes = {kind: FeatureRecipe.from_json(recipe) for kind, recipe in card["recipes"].items()}
    if missing := {needs(recipe) for recipe in recipes.values()} - {""}:
        raise ArtifactError(f"{folder}: texts are described by {', '.join(missing)}, which is not installed here")
    scorers = Scorers(
        item_embedding=artifact.item_embedding,
        forward=_forward(tables, weights, card),
        recipes=recipes,
        plain=PlainModel(weights["plain.user"], weights["plain.item"], float(weights["plain.bias"][0])),
        deep=_deep(weights),
        item_towers=(tables["item_tower_pair"], tables["item_tower_factors"]),
        popular=PopularModel(
            tables["item_count"], tables["item_recent"], _sparse(tables, "segment", len(tables["item_count"]))
        ),
        itemitem=_sparse(tables, "itemitem", len(tables["item_count"])),
        item_scale=tables["item_scale"],
        ties=TieModel.from_json(card["ties"]) if card["ties"] is not None else None,
        user_sizes=tables["user_sizes"],
    )
    return Bundle(
        artifact,
        scorers,
        BlendWeights.from_json(card["blend"]),
        Ranker.from_folder(tables, weights, artifact.user_ids),
        Propagation.from_folder(tables, artifact.metrics),
    )


def serving_arrays(scorers: Scorers, *, small: bool = False) -> tuple[Arrays, Arrays]:
    """Return the tables and weights under which `load` finds the parts of a model.

    Args:
        scorers: the parts.
        small: whether the deep scorer's matrices are kept as int8.
    """
    tables: Arrays = {
        "item_count": scorers.popular.count,
        "item_recent": scorers.popular.recent,
        "item_scale": scorers.item_scale,
        "item_tower_pair": scorers.item_towers[0],
        "item_tower_factors": scorers.item_towers[1],
        "user_sizes": scorers.user_sizes,
    }
    for name, rows in (("segment", scorers.popular.segments), ("itemitem", scorers.itemitem)):
        tables |= {f"{name}_indptr": rows.indptr, f"{name}_indices": rows.indices, f"{name}_values": rows.values}
    forward = scorers.forward
    for kind, layers in forward.layers.items():
        tables |= {f"{kind}_layer{depth}": layer for depth, layer in enumerate(layers)}
    tables |= {f"degree.{name}": degree for name, degree in forward.source_degree.items()}
    weights: Arrays = {
        "plain.user": scorers.plain.user_weight,
        "plain.item": scorers.plain.item_weight,
        "plain.bias": np.array([scorers.plain.bias], dtype=np.float32),
    }
    matrices, rest = quantised(scorers.deep) if small else ({}, dict(scorers.deep.weights))
    weights |= {f"deep.{name}": value for name, value in (*matrices.items(), *rest.items())}
    weights |= {f"projection.{kind}": value for kind, value in forward.projection.items()}
    for name, rounds in forward.weights.items():
        for depth, (left, bias, root) in enumerate(rounds):
            weights |= {f"{name}.{depth}.left": left, f"{name}.{depth}.bias": bias, f"{name}.{depth}.root": root}
    return tables, weights


def serving_card(scorers: Scorers, weights: BlendWeights) -> dict[str, Any]:
    """Return what `load` needs beside the arrays, JSON-able."""
    forward = scorers.forward
    return {
        "blend": weights.to_json(),
        "rounds": len(next(iter(forward.layers.values()))),
        "relations": sorted(forward.weights),
        "projections": sorted(forward.projection),
        "recipes": {kind: recipe.to_json() for kind, recipe in scorers.recipes.items()},
        "ties": None if scorers.ties is None else scorers.ties.to_json(),
    }


def _forward(tables: Mapping[str, Any], weights: Mapping[str, Any], card: Mapping[str, Any]) -> ForwardModel:
    rounds = range(card["rounds"])
    return ForwardModel(
        layers={kind: [tables[f"{kind}_layer{depth}"] for depth in rounds] for kind in ("user", "item")},
        projection={kind: weights[f"projection.{kind}"] for kind in card["projections"]},
        weights={
            name: [tuple(weights[f"{name}.{d}.{part}"] for part in ("left", "bias", "root")) for d in rounds]
            for name in card["relations"]
        },
        source_degree={name: tables[f"degree.{name}"] for name in card["relations"]},
    )


def _deep(weights: Mapping[str, NDArray[Any]]) -> DeepModel:
    own = {name.removeprefix("deep."): value for name, value in weights.items() if name.startswith("deep.")}
    small = {name: value for name, value in own.items() if value.dtype == np.int8}
    return restored(small, {name: value for name, value in own.items() if name not in small})


def _sparse(tables: Mapping[str, NDArray[Any]], name: str, width: int) -> FeatureRows:
    return FeatureRows(tables[f"{name}_indptr"], tables[f"{name}_indices"], tables[f"{name}_values"], width)


def _strategy(newcomer: Newcomer, parts: Mapping[str, Floats]) -> str:
    if len(newcomer.items):
        return "history"
    if len(newcomer.friends):
        return "friends"
    known = "graphsage" in parts or "segment" in parts
    return "attributes" if newcomer.attributes and known else "popularity"
