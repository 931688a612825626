"""The relations along which GraphSAGE passes messages, as normalised matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.interest.adjacency import Adjacency
from engine.interest.data import InterestData
from engine.interest.encoder import Relation
from engine.serving.forward import normalised_weights


@dataclass(frozen=True, slots=True)
class Relations:
    """Every relation that has edges."""

    weights: dict[Relation, Adjacency]
    """Per relation (targets, sources): w / sqrt(target's degree * source's degree)."""
    source_degree: dict[Relation, NDArray[np.float32]]
    """Per relation (sources,): the weighted degree that a later target divides by."""

    @property
    def names(self) -> tuple[Relation, ...]:
        """The relations, in a fixed order."""
        return tuple(self.weights)

    @property
    def edges(self) -> int:
        """Entries of all matrices."""
        return sum(len(matrix) for matrix in self.weights.values())


def relations_of(data: InterestData, with_social: bool = True, ties: Adjacency | None = None) -> Relations:
    """Return the relations of the data that have edges.

    Args:
        data: the matrices.
        with_social: without, for an ablation, no messages pass between users.
        ties: (U, U) learned weights of friends; None: as strong as the ties are.
    """
    raw: dict[Relation, Adjacency] = {
        ("item", "acted", "user"): data.positives,
        ("user", "acted", "item"): data.positives.transpose(),
        ("item", "shared", "user"): data.shared,
        ("user", "shared", "item"): data.shared.transpose(),
    }
    if with_social:
        raw |= {
            ("user", "friend", "user"): data.friends if ties is None else ties,
            ("user", "follows", "user"): data.follows,
            ("user", "followedBy", "user"): data.follows.transpose(),
            ("item", "received", "user"): data.received,
            ("user", "received", "item"): data.received.transpose(),
        }
    kept = {relation: matrix for relation, matrix in raw.items() if len(matrix)}
    degrees = {relation: _column_sums(matrix) for relation, matrix in kept.items()}
    return Relations({relation: _normalised(matrix, degrees[relation]) for relation, matrix in kept.items()}, degrees)


def _column_sums(matrix: Adjacency) -> NDArray[np.float32]:
    return np.bincount(matrix.indices, weights=matrix.values, minlength=matrix.columns).astype(np.float32)


def _normalised(matrix: Adjacency, source_degree: NDArray[np.float32]) -> Adjacency:
    values = normalised_weights(matrix.indptr, matrix.indices, matrix.values, source_degree)
    return Adjacency(matrix.indptr, matrix.indices, values, matrix.columns)
