"""What a plan is compared with: users in a simple order, taken as long as the same limits allow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.influence.coverage import Limits
from engine.influence.pagerank import reversed_pagerank
from engine.types import EdgeProbabilities

ROUNDS = 50
"""Of PageRank."""


def by_degree(edges: EdgeProbabilities) -> NDArray[np.int64]:
    """Return users by the number of those whom they may reach directly, most first; ties by the lower index."""
    return np.argsort(-np.bincount(edges.source, minlength=edges.nodes), kind="stable")


def by_pagerank(edges: EdgeProbabilities) -> NDArray[np.int64]:
    """Return users by PageRank on the reversed ties, highest first: they reach users whom few others reach.

    Ties are not weighted.
    """
    rank = reversed_pagerank(edges, np.ones(len(edges.source)), ROUNDS)
    return np.argsort(-np.round(rank, 15), kind="stable")


def taken(order: NDArray[np.integer], limits: Limits) -> NDArray[np.int32]:
    """Return the first users of an order that the limits allow, who must be included before all others, (<= most,).

    Who does not fit into what is left of the budget or the quota is passed over.
    """
    users = len(order)
    cost = limits.costs(users)
    free = np.ones(users, bool) if limits.allowed is None else np.array(limits.allowed, bool)
    forced = np.zeros(0, np.int64) if limits.included is None else np.asarray(limits.included, np.int64)
    chosen = forced.tolist()
    free[forced] = False
    money = float(limits.budget - cost[forced].sum())
    least = float(cost[free].min(initial=np.inf))
    left: dict[int, int] = {}
    for u in order[free[order]].tolist():
        if len(chosen) >= limits.most or money < least:
            break
        group = -1 if limits.group is None else int(limits.group[u])
        room = left.get(group, limits.quota) if limits.quota and group >= 0 else 1
        if cost[u] <= money and room > 0:
            chosen.append(u)
            money -= float(cost[u])
            left[group] = room - 1
    return np.array(chosen, np.int32)
