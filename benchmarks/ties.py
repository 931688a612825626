"""P(u->v) on generated worlds, where the truth is known: the shrunken rate, what is learned, what being sent adds.

Who passes on looks neither at the item nor at the channel there, so what is learned of these should come to nothing.
Sharers send to all who act and to a part of the others: the odds of those who were sent it are truly 1 / that part as
high.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.propagation.estimation import edge_probabilities
from engine.propagation.itemlearning import learn_item_spread
from engine.propagation.pairlearning import learn_pairs
from engine.types import EdgeProbabilities
from engine.world import WorldSettings, generate, to_snapshot
from engine.world.cascades import SENT_ANYWAY
from graph.settings import Settings

SIZES = {
    "tiny": (1_000, 200, 80_000),
    "small": (5_000, 2_000, 200_000),
    "full": (50_000, 2_000, 2_000_000),
}
"""Users, items and events."""
SEEDS = (7, 8)
TENTHS = 10


def run(_settings: Settings, size: str = "small") -> dict[str, Any]:
    """Learn the ties of two worlds and return how near they come to the truth.

    Args:
        size: `tiny` (10^3 users), `small` (5x10^3) or `full` (5x10^4, minutes).

    Returns:
        `worlds`, for each `seed pairs` (ties with a truth); `rate` and `learned`: `correlation` with the true P(u->v)
        and `gap`, the mean difference of the means of its tenths; `card` of the choice between them, `items` of what
        item and channel add, both on the newest shares; `sent_base sent_slope` beside `true_base true_slope`;
        `pairs_s items_s` seconds.

    Raises:
        ValueError: no such size.
    """
    if size not in SIZES:
        raise ValueError(f"ties has the sizes {', '.join(SIZES)}")
    return {"size": size, "worlds": [_world(size, seed) for seed in SEEDS]}


def _world(size: str, seed: int) -> dict[str, Any]:
    users, items, events = SIZES[size]
    world = generate(WorldSettings(users=users, items=items, events=events, seed=seed))
    snapshot, truth = to_snapshot(world), world.truth.probabilities
    began = time.perf_counter()
    learned, card = learn_pairs(snapshot, "reshare", 0, always=True)
    pairs_s = time.perf_counter() - began
    _, added = learn_item_spread(snapshot, 0)
    sent = added.get("sent", {})
    return {
        "seed": seed,
        "pairs": len(truth.source),
        "rate": _against(truth, edge_probabilities(snapshot)),
        "learned": _against(truth, learned),
        "card": card,
        "items": added,
        "sent_base": sent.get("base"),
        "sent_slope": sent.get("slope"),
        "true_base": float(np.log(1.0 / SENT_ANYWAY)),
        "true_slope": 1.0,
        "pairs_s": round(pairs_s, 2),
        "items_s": round(time.perf_counter() - began - pairs_s, 2),
    }


def _against(truth: EdgeProbabilities, edges: EdgeProbabilities) -> dict[str, float]:
    """Return correlation and gap over the true ties; one that is not among the edges counts as 0."""
    key, wanted = _keys(edges), _keys(truth)
    order = np.argsort(key)
    place = np.minimum(np.searchsorted(key, wanted, sorter=order), len(key) - 1)
    found = np.where(key[order[place]] == wanted, edges.probability[order[place]], 0.0).astype(np.float64)
    true = truth.probability.astype(np.float64)
    tenths = np.array_split(np.argsort(found, kind="stable"), TENTHS)
    gap = np.mean([abs(true[part].mean() - found[part].mean()) for part in tenths])
    return {"correlation": float(np.corrcoef(true, found)[0, 1]), "gap": float(gap)}


def _keys(edges: EdgeProbabilities) -> NDArray[np.int64]:
    return edges.source.astype(np.int64) * edges.nodes + edges.target
