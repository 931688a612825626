"""The signals of a pair: the sharer, the friend, the two together, the friend and all sharers so far, the cascade."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from engine.propagation.friendpropagation import memory
from engine.propagation.friendpropagation.kernel import Known, measure_all
from engine.propagation.friendpropagation.names import LEARNED, NAMES
from engine.propagation.friendpropagation.pairs import Folder, Int, Neighbours, Pairs
from engine.propagation.friendpropagation.tables import tables_of


def signals_of(folder: Folder, pairs: Pairs, past_rows: Int, seed: int, *, live: bool = False) -> NDArray[np.float32]:
    """Return the signals of pairs, (P, len(NAMES)).

    Args:
        folder: cascades and links.
        pairs: ordered by cascade and place.
        past_rows: cascades that are the past; one that is measured itself does not count in its own signals.
        seed: of the vectors.
        live: whether only what happened before the share counts; what is learned from whole cascades is 0 then.
    """
    cascades = folder.cascades
    past = memory.past_of(cascades, past_rows, folder.users, live=live)
    own = np.full(len(cascades), -1, np.int64)
    own[past_rows] = np.arange(len(past_rows))
    links, shape = memory.links_of(folder.neighbours), tie_shape(folder.neighbours)
    span = (float(past.time_s.min()), float(past.time_s.max()))
    known = Known(past, links, shape, tables_of(folder, past_rows, seed), own, span, live)
    found = np.zeros((len(pairs), len(NAMES)), np.float32)
    running = (cascades.indptr, cascades.user, cascades.start_s[cascades.cascade_of] + cascades.seconds)
    measure_all(found, (pairs.cascade, pairs.place, pairs.tie), running, known)
    if live:
        found[:, [NAMES.index(name) for name in LEARNED]] = 0.0
    return found


def tie_shape(neighbours: Neighbours) -> NDArray[np.float32]:
    """Return of every tie (E, 5): out, into, log of common neighbours, Adamic-Adar, Jaccard.

    Adamic and Adar, Friends and neighbors on the Web (2003): common neighbours weigh 1 / log of their degree.
    """
    shape = np.empty((len(neighbours.user), 5), np.float32)
    shape[:, 0], shape[:, 1] = neighbours.out, neighbours.into
    _common(shape, neighbours.indptr, neighbours.user)
    return shape


@numba.njit(cache=True)
def _common(shape: NDArray[np.float32], indptr: Int, user: Int) -> None:
    for u in range(len(indptr) - 1):
        for at in range(indptr[u], indptr[u + 1]):
            a, b, v = indptr[u], indptr[user[at]], user[at]
            common, weighted = 0, 0.0
            while a < indptr[u + 1] and b < indptr[v + 1]:
                if user[a] < user[b]:
                    a += 1
                elif user[a] > user[b]:
                    b += 1
                else:
                    common += 1
                    weighted += 1.0 / np.log(1.5 + indptr[user[a] + 1] - indptr[user[a]])
                    a += 1
                    b += 1
            both = indptr[u + 1] - indptr[u] + indptr[v + 1] - indptr[v]
            shape[at, 2], shape[at, 3] = np.log1p(common), weighted
            shape[at, 4] = common / max(both - common, 1)
