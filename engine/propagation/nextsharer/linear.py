"""A linear model of users over cascades, solved in the space of cascades.

With X (cascades x users, X[c, u] = N(u)^-1/4 / sqrt(length of c) for the users of c) ridge regression of X on itself is

    x -> x X^T (X X^T + ridge I)^-1 X D,  D = diag(N(u)^1/4)

for the users x of a running cascade; D takes back what makes popular users small. Between two different users the
weights are those of EASE (Steck, Embarrassingly shallow autoencoders, WWW 2019, eq. 8) up to one factor for each user
ranked; users of x are no candidates, so that the diagonal does not matter. The inverse is of cascades, which are fewer
than users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np
from numpy.typing import NDArray

from engine.propagation.nextsharer.sequences import Float, Int

if TYPE_CHECKING:
    from engine.propagation.nextsharer.memory import Memory

Floats = NDArray[np.float32]

NEWEST = 4_000
"""Cascades in the model at most; the inverse of so many takes seconds."""
RIDGE = 0.3
"""Of the mean of the diagonal of X X^T."""
POPULARITY = 0.25


def inverse(indptr: Int, user: Int, count: Float) -> Floats:
    """Return (C', C') the inverse for the newest C' <= NEWEST cascades.

    Args:
        indptr: (C + 1,) bounds of each cascade's events.
        user: (E,) whose event it is.
        count: (U,) events of each user.
    """
    gram = _gram(indptr, user, count, max(0, len(indptr) - 1 - NEWEST))
    gram[np.diag_indices(len(gram))] += RIDGE * np.trace(gram) / max(1, len(gram))
    return np.linalg.inv(gram).astype(np.float32)


@numba.njit(cache=True)
def _gram(indptr: Int, user: Int, count: Float, first: int) -> Float:
    """Return X X^T of the cascades from `first` on."""
    size = len(indptr) - 1 - first
    gram = np.zeros((size, size))
    row = np.zeros(len(count))
    for c in range(size):
        for e in range(indptr[c + first], indptr[c + first + 1]):
            row[user[e]] = count[user[e]] ** (-2.0 * POPULARITY)
        for d in range(c + 1):
            total = 0.0
            for e in range(indptr[d + first], indptr[d + first + 1]):
                total += row[user[e]]
            lengths = (indptr[c + first + 1] - indptr[c + first]) * (indptr[d + first + 1] - indptr[d + first])
            gram[c, d] = gram[d, c] = total / np.sqrt(lengths)
        for e in range(indptr[c + first], indptr[c + first + 1]):
            row[user[e]] = 0.0
    return gram


@numba.njit(cache=True)
def linear_scores(m: Memory, prefix: Int, asked: np.ndarray, fade: float) -> Floats:
    """Return (asked, U) the score of every user at each position that is asked for."""
    size, first = len(m.inverse), len(m.fresh) - len(m.inverse)
    likeness = np.zeros((asked.sum(), size), np.float32)
    now, q = np.zeros(size, np.float32), 0
    for t in range(len(prefix)):
        if asked[t]:
            likeness[q] = now
            q += 1
        if q == len(likeness):
            break
        now *= np.float32(fade)
        u = prefix[t]
        for k in range(m.event_ptr[u], m.event_ptr[u + 1]):
            c = m.cascade_of[m.event[k]]
            if c >= first:
                now[c - first] += m.count[u] ** -POPULARITY / np.sqrt(m.indptr[c + 1] - m.indptr[c])
    weight = likeness @ m.inverse
    found = np.zeros((len(weight), len(m.count)), np.float32)
    for q in range(len(weight)):
        for c in range(size):
            w = weight[q, c] / np.sqrt(m.indptr[c + first + 1] - m.indptr[c + first])
            for e in range(m.indptr[c + first], m.indptr[c + first + 1]):
                found[q, m.user[e]] += w
    return found
