"""What `diversity` costs and gives: recall of held-out items beside how unlike the items of a list are, offline.

A generated world is cut (10 % of each user's positives are held out), the interest model is fitted on the rest, and the
lists are arranged by the functions that serve them (`engine.serving.diversity`), at several values.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from engine.evaluation import coverage_at, hit_matrix, ndcg_at, recall_at
from engine.interest.cut import make_cut
from engine.interest.data import from_snapshot
from engine.interest.model import choose
from engine.interest.threads import set_threads
from engine.interest.training import EncoderSettings
from engine.lists import similar_items
from engine.serving.diversity import diversify, intra_list_diversity, likeness_of, scaled_neighbours
from engine.types import RankedLists
from engine.world import WorldSettings, generate, to_snapshot
from graph.settings import Settings

WORLDS = {
    "small": WorldSettings(users=1_000, items=600, events=30_000),
    "full": WorldSettings(users=5_000, items=2_000, events=200_000),
}
VALUES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
LIST, POOL, SIMILAR = 10, 100, 20
"""Places of a list, candidates it is made from (ten for each place, as served), neighbours of an item."""


def run(settings: Settings, size: str = "small") -> dict[str, Any]:
    """Fit on a generated world and return the figures.

    Args:
        settings: not used; every benchmark has this signature.
        size: `small` or `full`.

    Returns:
        `values`: for each value `diversity recall@10 ndcg@10 intra_list_diversity categories coverage@10` (means over
        lists); `users`, `seconds`.

    Raises:
        ValueError: there is no such size.
    """
    if size not in WORLDS:
        raise ValueError(f"size is {size!r}; choose {', '.join(WORLDS)}")
    began = time.perf_counter()
    set_threads()
    snapshot = to_snapshot(generate(WORLDS[size]))
    cut = make_cut(from_snapshot(snapshot), 0, test_share=0.1)
    choice = choose(cut, EncoderSettings())
    lists = choice.ranker.rank(cut.test.user, choice.weights, POOL)
    categories = np.unique(snapshot.items.columns["category"].astype(str), return_inverse=True)[1]
    brands = np.unique(snapshot.items.columns["brand"].astype(str), return_inverse=True)[1]
    likeness = _likeness(similar_items(choice.ranker, SIMILAR), categories, brands)
    rows = []
    for value in VALUES:
        top = np.full((len(cut.test), LIST), -1, dtype=np.int32)
        unlike: list[float] = []
        for row, (target, score) in enumerate(zip(lists.target, lists.score, strict=True)):
            items = target[target >= 0]
            alike = likeness(items)
            chosen = diversify(score[: len(items)].tolist(), alike, LIST, value)
            top[row, : len(chosen)] = items[chosen]
            unlike.append(intra_list_diversity(alike[np.ix_(chosen, chosen)]))
        hits = hit_matrix(top, cut.test)
        rows.append(
            {
                "diversity": value,
                "recall@10": round(float(recall_at(hits, cut.test.counts, LIST).mean()), 4),
                "ndcg@10": round(float(ndcg_at(hits, cut.test.counts, LIST).mean()), 4),
                "intra_list_diversity": round(float(np.nanmean(unlike)), 4),
                "categories": round(float(np.mean([len(set(categories[one[one >= 0]])) for one in top])), 2),
                "coverage@10": round(coverage_at(top, len(categories), LIST), 4),
            }
        )
    return {"values": rows, "users": len(cut.test), "seconds": round(time.perf_counter() - began, 1)}


def _likeness(similar: RankedLists, categories: NDArray[np.integer], brands: NDArray[np.integer]) -> Any:
    """Return what gives the likeness (N, N) of N items by their dense indices, as the API has it of ids."""
    neighbours = {}
    for item, (target, score) in enumerate(zip(similar.target, similar.score, strict=True)):
        known = target >= 0
        neighbours[str(item)] = scaled_neighbours([str(each) for each in target[known]], score[known].tolist())

    def of(items: NDArray[np.integer]) -> NDArray[np.float64]:
        return likeness_of([str(each) for each in items], categories[items], brands[items], neighbours)

    return of


if __name__ == "__main__":
    sys.stdout.write(orjson.dumps(run(Settings.load(), *sys.argv[1:2])).decode() + "\n")
