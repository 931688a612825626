"""What the cut held out, with the lists of the cut's model, so that another version can be scored on the same."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import Truth
from engine.interest.cut import Cut
from engine.types import INTERACTION_TYPES, NO_TIME, GraphSnapshot

MOST_USERS = 20_000
"""Users that are kept, by a hash of their ids, the same in every version; 16 MB at 100 known items each."""
MOST_KNOWN = 1_000
"""Users with more known items are left out."""


def heldout_tables(snapshot: GraphSnapshot, cut: Cut, lists: NDArray[np.int32]) -> dict[str, NDArray[Any]]:
    """Return the tables that `engine.serving.champion` compares versions by.

    Args:
        snapshot: where the times are.
        cut: its test part is kept.
        lists: (N, K) items that the cut's model ranks first for the users of `cut.test`.
    """
    known = cut.data.masked
    able = np.flatnonzero(known.degree[cut.test.user] <= MOST_KNOWN)
    lot = [zlib.crc32(str(name).encode()) for name in snapshot.users.ids[cut.test.user[able]]]
    truth = cut.test.take(np.sort(able[np.argsort(lot, kind="stable")[:MOST_USERS]]))
    rows = np.searchsorted(cut.test.user, truth.user)
    history = known.take(truth.user)
    return {
        "heldout_user": truth.user.astype(np.int32),
        "heldout_indptr": truth.indptr.astype(np.int64),
        "heldout_item": truth.item.astype(np.int32),
        "heldout_first_at_s": first_acts(snapshot, truth),
        "heldout_list": lists[rows].astype(np.int32),
        "heldout_known_indptr": history.indptr.astype(np.int64),
        "heldout_known_item": history.indices.astype(np.int32),
    }


def first_acts(snapshot: GraphSnapshot, truth: Truth) -> NDArray[np.int64]:
    """(T,) when each pair's first act was, seconds; NO_TIME where an act of the pair may be older than known.

    Repeated views are one row with the time of the last, so when they began is not known.
    """
    acts, shares = snapshot.interactions, snapshot.shares
    items = np.int64(max(len(snapshot.items), 1))
    when = acts.columns["occurred_at_s"].astype(np.int64)
    is_folded = (acts.columns["type"] == INTERACTION_TYPES.index("VIEWED")) & (acts.columns["count"] > 1)
    when = np.concatenate([np.where(is_folded, NO_TIME, when), shares.columns["occurred_at_s"].astype(np.int64)])
    key = np.concatenate([acts.source, shares.source]).astype(np.int64) * items
    key += np.concatenate([acts.target, shares.target])
    wanted = np.repeat(truth.user.astype(np.int64), truth.counts) * items + truth.item
    # NO_TIME is smaller than every time: the smallest time of a pair is the answer.
    order = np.lexsort((when, key))
    place = np.searchsorted(key[order], wanted)
    place = np.minimum(place, max(len(order) - 1, 0))
    found = key[order][place] == wanted if len(order) else np.zeros(len(wanted), dtype=bool)
    return np.where(found, when[order][place] if len(order) else NO_TIME, NO_TIME).astype(np.int64)
