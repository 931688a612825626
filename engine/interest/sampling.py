"""Sampled subgraphs for graphs whose full propagation does not fit a step: our own sampler over flat arrays.

PyG's loaders need `pyg-lib` or `torch-sparse`, which the package registry does not carry. Rows are sampled without
replacement (reservoir sampling, Vitter 1985, algorithm R) and reweighted by degree / sample, so that the expected
sum over neighbours stays what full propagation takes; a fanout of at least the largest degree gives exactly that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from engine.interest.adjacency import Adjacency, from_pairs
from engine.interest.encoder import Relation


@dataclass(frozen=True, slots=True)
class Subgraph:
    """Nodes and edges that a batch's embeddings need."""

    nodes: dict[str, NDArray[np.int64]]
    """Per type (N,) global ids; the batch's own nodes come first, in their order."""
    weights: dict[Relation, Adjacency]
    """Per relation (N of target type, N of source type) local weights."""


@numba.njit(cache=True)
def _sample_rows(
    indptr: NDArray[np.int64], rows: NDArray[np.int64], fanout: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many entries each row keeps, and their places in the flat arrays."""
    np.random.seed(seed)
    kept = np.empty(len(rows), np.int64)
    total = 0
    for r in range(len(rows)):
        kept[r] = min(indptr[rows[r] + 1] - indptr[rows[r]], fanout)
        total += kept[r]
    place = np.empty(total, np.int64)
    at = 0
    for r in range(len(rows)):
        start = indptr[rows[r]]
        degree = indptr[rows[r] + 1] - start
        for k in range(kept[r]):
            place[at + k] = start + k
        for k in range(kept[r], degree):
            chosen = np.random.randint(0, k + 1)
            if chosen < kept[r]:
                place[at + chosen] = start + k
        at += kept[r]
    return kept, place


def sample(
    weights: Mapping[Relation, Adjacency],
    seeds: Mapping[str, NDArray[np.integer]],
    fanouts: Sequence[int],
    rng: np.random.Generator,
) -> Subgraph:
    """Sample the neighbourhood of a batch, one hop per fanout.

    Args:
        weights: per relation (targets, sources).
        seeds: per type the batch's nodes, each once.
        fanouts: entries kept per node and relation at each hop.
        rng: source of randomness.
    """
    nodes = {kind: ids.astype(np.int64) for kind, ids in seeds.items()}
    local = {kind: _numbering(weights, kind, ids) for kind, ids in nodes.items()}
    frontier = dict(nodes)
    found: dict[Relation, list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]] = {}
    for fanout in fanouts:
        fresh: dict[str, list[NDArray[np.int64]]] = {kind: [] for kind in nodes}
        for relation, matrix in weights.items():
            rows = frontier[relation[2]]
            kept, place = _sample_rows(matrix.indptr, rows, fanout, int(rng.integers(2**31)))
            source = matrix.indices[place].astype(np.int64)
            scale = np.divide(matrix.degree[rows], kept, out=np.ones(len(rows)), where=kept > 0)
            value = (matrix.values[place] * np.repeat(scale, kept)).astype(np.float32)
            found.setdefault(relation, []).append((np.repeat(rows, kept), source, value))
            fresh[relation[0]].append(source)
        frontier = {}
        for kind, parts in fresh.items():
            met = np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)
            new = met[local[kind][met] < 0]
            local[kind][new] = len(nodes[kind]) + np.arange(len(new))
            nodes[kind] = np.concatenate([nodes[kind], new])
            frontier[kind] = new
    return Subgraph(nodes, {relation: _local(relation, parts, local, nodes) for relation, parts in found.items()})


def _numbering(weights: Mapping[Relation, Adjacency], kind: str, seeds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the table from global to local ids, -1 where a node is not in the subgraph yet."""
    count = next(matrix.columns for relation, matrix in weights.items() if relation[0] == kind)
    table = np.full(count, -1, dtype=np.int64)
    table[seeds] = np.arange(len(seeds))
    return table


def _local(
    relation: Relation,
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]],
    local: Mapping[str, NDArray[np.int64]],
    nodes: Mapping[str, NDArray[np.int64]],
) -> Adjacency:
    target, source, value = (np.concatenate([part[i] for part in parts]) for i in range(3))
    shape = (len(nodes[relation[2]]), len(nodes[relation[0]]))
    return from_pairs(local[relation[2]][target], local[relation[0]][source], shape, value)
