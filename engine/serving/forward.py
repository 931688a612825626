"""The encoder's forward pass for nodes that came after training, in numpy.

A new node takes in layers 0 and 1 of the nodes it knows; nothing of theirs changes (Hamilton et al., 2017,
algorithm 1). The same function embeds the users of the cold slice in evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ForwardModel:
    """Weights and tables of a trained encoder that embed new nodes."""

    layers: Mapping[str, Sequence[Floats]]
    """Per node type: layers 0 .. L-1 of every trained node, each (N, D)."""
    projection: Mapping[str, Floats]
    """Per node type with features: (F, D)."""
    weights: Mapping[str, Sequence[tuple[Floats, Floats, Floats]]]
    """Per relation `source.name.target`: for every round W_l (D, D), b (D,), W_r (D, D), as PyG's SAGEConv has them."""
    source_degree: Mapping[str, Floats]
    """Per relation (sources,): weighted degrees of the trained sources."""

    @property
    def width(self) -> int:
        """Length D of a vector."""
        return next(iter(self.layers.values()))[0].shape[1]


@dataclass(frozen=True, slots=True)
class NewEdges:
    """Edges of one relation from trained sources into N new nodes."""

    indptr: NDArray[np.int64]
    """(N + 1,)"""
    source: NDArray[np.int32]
    """(E,) trained source."""
    weight: Floats
    """(E,) > 0."""


def normalised_weights(
    indptr: NDArray[np.int64], source: NDArray[np.int32], weight: Floats, source_degree: Floats
) -> Floats:
    """Return w / sqrt(target's degree * source's degree) per edge (E,); a source without degree counts as 1."""
    row = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    degree = np.bincount(row, weights=weight, minlength=len(indptr) - 1)
    other = source_degree[source].astype(np.float64)
    return (weight / np.sqrt(degree[row] * np.where(other > 0, other, 1.0))).astype(np.float32)


def embed(model: ForwardModel, kind: str, count: int, edges: Mapping[str, NewEdges], features: Floats | None) -> Floats:
    """Embed `count` new nodes of a type.

    Args:
        model: the trained encoder.
        kind: node type, `user` or `item`.
        count: number of new nodes N.
        edges: per relation into `kind`, the new nodes' edges; a relation may be missing.
        features: (N, D) projected features, or None.

    Returns:
        (N, D) unit rows; zeros where a node has neither edges nor features.
    """
    sums = {
        name: (part, normalised_weights(part.indptr, part.source, part.weight, model.source_degree[name]))
        for name, part in edges.items()
        if name in model.weights and len(part.source)
    }
    known = np.zeros(count, dtype=bool) if features is None else np.abs(features).sum(axis=1) > 0
    for part, _ in sums.values():
        known |= np.diff(part.indptr) > 0
    layer = np.zeros((count, model.width), dtype=np.float32) if features is None else features
    total = layer.copy()
    into = [name for name in model.weights if name.endswith(f".{kind}")]
    for depth in range(len(next(iter(model.weights.values()), ()))):
        out = np.zeros_like(total)
        for name in into:
            w_l, bias, w_r = model.weights[name][depth]
            out += bias + layer @ w_r.T
            if name in sums:
                part, weight = sums[name]
                out += _gather(part, weight, model.layers[name.split(".", maxsplit=1)[0]][depth]) @ w_l.T
        layer = out
        total += layer
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(known[:, None] & (length > 0), total / np.maximum(length, 1e-12), 0.0).astype(np.float32)


def _gather(edges: NewEdges, weight: Floats, table: Floats) -> Floats:
    """Return (N, D) weighted sums of the sources' rows."""
    out = np.zeros((len(edges.indptr) - 1, table.shape[1]), dtype=np.float32)
    filled = np.flatnonzero(np.diff(edges.indptr) > 0)
    if len(filled):
        rows = table[edges.source] * weight[:, None]
        out[filled] = np.add.reduceat(rows, edges.indptr[filled], axis=0)
    return out
