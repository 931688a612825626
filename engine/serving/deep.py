"""The deep scorer's forward pass: two towers of dense layers and a pair layer, in numpy.

    t = relu(x W1 + f E + b1),  a = t W2 + b2,  g = t G     for user and item (x: numbers, f: sparse features)
    logit(u, i) = relu(a_u + a_i) . w + g_u . g_i + b

The two terms are the MLP and the GMF of He et al., Neural Collaborative Filtering (WWW 2017), eq. 9 to 12, with the
MLP's first pair layer split by side, so that a user is scored against all items without a pass per pair. Options make
the weights smaller: magnitude pruning (Han et al., NeurIPS 2015) and symmetric int8 per output channel (Jacob et al.,
CVPR 2018, eq. 1 with zero point 0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.serving.features import FeatureRows

Floats = NDArray[np.float32]

TOWER = ("w1", "e", "b1", "w2", "b2", "g")
SIDES = ("user", "item")
BLOCK = 2048
"""Items at a time: what lies between stays in the cache, and no request asks the system for megabytes."""


@dataclass(frozen=True, slots=True)
class DeepModel:
    """Weights by name: `user.w1` ... `item.g` (TOWER), `pair.w` (H2,), `pair.b` (1,)."""

    weights: Mapping[str, Floats]

    def tower(self, side: str, numbers: Floats, features: FeatureRows | None) -> tuple[Floats, Floats]:
        """Return a (N, H2) and g (N, G) of one side.

        Args:
            side: `user` or `item`.
            numbers: (N, X) dense inputs.
            features: sparse rows of N nodes, or None where nothing is described.
        """
        part = {name: self.weights[f"{side}.{name}"] for name in TOWER}
        hidden = numbers @ part["w1"] + part["b1"]
        if features is not None and features.width == len(part["e"]):
            hidden += features.project(part["e"])
        hidden = np.maximum(hidden, 0.0)
        return hidden @ part["w2"] + part["b2"], hidden @ part["g"]

    def logits(self, users: tuple[Floats, Floats], items: tuple[Floats, Floats]) -> Floats:
        """Return (N, I) logits of towers' outputs."""
        (a_user, g_user), (a_item, g_item) = users, items
        out = g_user @ g_item.T
        last = self.weights["pair.w"]
        for first in range(0, len(a_item), BLOCK):
            block = slice(first, first + BLOCK)
            for row in range(len(out)):
                out[row, block] += np.maximum(a_item[block] + a_user[row], 0.0) @ last
        return out + self.weights["pair.b"][0]


def user_numbers(embedding: Floats, acts: NDArray[np.floating], friends: NDArray[np.floating]) -> Floats:
    """Return (N, D + 2) inputs of the users' tower: embedding, log of acts, log of friends."""
    sizes = np.log1p(np.stack([acts, friends], axis=1))
    return np.concatenate([embedding, sizes], axis=1).astype(np.float32)


def item_numbers(embedding: Floats, count: NDArray[np.floating]) -> Floats:
    """Return (N, D + 1) inputs of the items' tower: embedding, log of times acted on."""
    return np.concatenate([embedding, np.log1p(count)[:, None]], axis=1).astype(np.float32)


def pruned(model: DeepModel, share: float) -> DeepModel:
    """Return the model with the smallest `share` of every matrix's weights set to zero.

    Raises:
        ValueError: the share is not in [0, 1).
    """
    if not 0.0 <= share < 1.0:
        raise ValueError(f"a share to prune is in [0, 1), not {share}")
    kept = {}
    for name, value in model.weights.items():
        limit = np.quantile(np.abs(value), share) if value.ndim == 2 and value.size else -1.0
        kept[name] = np.where(np.abs(value) > limit, value, 0.0).astype(np.float32)
    return DeepModel(kept)


def quantised(model: DeepModel) -> tuple[dict[str, NDArray[np.int8]], dict[str, Floats]]:
    """Return int8 matrices and what stays float32: vectors, and the matrices' scales as `name.scale` (columns,)."""
    small: dict[str, NDArray[np.int8]] = {}
    rest: dict[str, Floats] = {}
    for name, value in model.weights.items():
        if value.ndim != 2:
            rest[name] = value
            continue
        scale = np.maximum(np.abs(value).max(axis=0, initial=0.0), np.finfo(np.float32).tiny) / 127.0
        small[name] = np.clip(np.rint(value / scale), -127, 127).astype(np.int8)
        rest[f"{name}.scale"] = scale.astype(np.float32)
    return small, rest


def restored(small: Mapping[str, NDArray[np.int8]], rest: Mapping[str, Floats]) -> DeepModel:
    """Return the model that `quantised` stored."""
    weights = {name: value.astype(np.float32) * rest[f"{name}.scale"] for name, value in small.items()}
    return DeepModel({**weights, **{name: value for name, value in rest.items() if not name.endswith(".scale")}})
