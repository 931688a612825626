"""Communities of users by label propagation over ties.

Everybody begins alone; in turns drawn anew each round a user takes the label that weighs most among those whom they are
tied to (Raghavan, Albert, Kumara, Near linear time algorithm to detect community structures in large-scale networks,
Physical Review E 76, 2007). A tie weighs P(u->v) + P(v->u). Between equals the own label stays, else the lowest wins,
so that a seed gives one answer; the number of rounds is bounded.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from engine.types import EdgeProbabilities

ROUNDS = 20


def communities(edges: EdgeProbabilities, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the community of each user, (U,) in [0, number of communities), numbered by their first user."""
    users = edges.nodes
    if users == 0:
        return np.zeros(0, np.int64)
    kept = edges.source != edges.target
    one, other = edges.source[kept].astype(np.int64), edges.target[kept].astype(np.int64)
    owner, neighbour = np.concatenate([one, other]), np.concatenate([other, one])
    weight = np.tile(edges.probability[kept].astype(np.float64), 2)
    order = np.argsort(owner, kind="stable")
    indptr = np.zeros(users + 1, np.int64)
    np.cumsum(np.bincount(owner, minlength=users), out=indptr[1:])
    label, total = np.arange(users), np.zeros(users)
    neighbour, weight = neighbour[order], weight[order]
    for _ in range(ROUNDS):
        if not _take_turns(rng.permutation(users), indptr, neighbour, weight, label, total):
            break
    _, first, place = np.unique(label, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[place]


@numba.njit(cache=True, nogil=True)
def _take_turns(turns, indptr, neighbour, weight, label, total):  # noqa: ANN001, ANN202, PLR0917
    """Let each user choose a label once; return how many changed theirs. `total` is zeros before and after."""
    changed = 0
    for u in turns:
        begin, end = indptr[u], indptr[u + 1]
        for e in range(begin, end):
            total[label[neighbour[e]]] += weight[e]
        best, most = label[u], total[label[u]]
        for e in range(begin, end):
            candidate = label[neighbour[e]]
            if total[candidate] > most or (total[candidate] == most and candidate < best and best != label[u]):
                best, most = candidate, total[candidate]
        for e in range(begin, end):
            total[label[neighbour[e]]] = 0.0
        if best != label[u]:
            label[u] = best
            changed += 1
    return changed
