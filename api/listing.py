"""From candidates to a list: kept apart where asked for, some places drawn where asked for, signed."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from api.services import Services
from api.shapes.answers import RecommendationsQuery
from engine.serving import exploration, live
from engine.serving.diversity import diversify, likeness_of, scaled_neighbours
from engine.serving.shelf import ANYTHING, Wanted
from graph import queries
from graph.errors import InputError
from graph.signing import RECOMMENDATION, Signer

ALIKE_POOL = 10
"""Candidates for each place of a list that is kept apart."""
MOST_ALIKE = 200
NEW_ITEMS = 10
"""Newest items that join what drawn places are drawn from."""
NEW_S = 14 * 86_400
DRAWN = "exploration"
"""Reason of an item that was drawn."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list is asked for."""

    limit: int = 10
    wanted: Wanted = ANYTHING
    channel: str | None = None
    """Where it will be shown; kept in the signed id."""
    explain: bool = False
    """Whether each item tells what its score is made of."""
    diversity: float = 0.0
    """In [0, 1]."""
    explore: float = 0.0
    """Share of places that are drawn, in [0, 0.5]."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """What an item must be to stand in the list."""

    wanted: Wanted
    age: int
    """Years of the user."""
    seen: set[str]
    """Items that the user acted on."""
    now: float
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Arranged:
    """A list as it is answered."""

    rows: list[dict[str, Any]]
    seed: int
    """Of what was drawn."""

    def identify(self, signer: Signer, model_version: str | None, now: float, channel: str | None) -> str:
        """Return the signed id: version, time (ms), seed, channel."""
        content = {"v": model_version, "t": int(now * 1000), "s": self.seed}
        return signer.sign(RECOMMENDATION, {**content, "c": channel} if channel else content)


def asked_of(query: RecommendationsQuery, explore: float) -> Asked:
    """Return what the parameters of a request ask for; `explore` where they do not say.

    Raises:
        InputError: they contradict each other.
    """
    low, high = query.price_min, query.price_max
    if (low is not None or high is not None) and query.currency is None:
        raise InputError("a price needs its currency", [{"pointer": "/currency", "detail": "is needed with a price"}])
    if low is not None and high is not None and low > high:
        raise InputError("priceMin is above priceMax", [{"pointer": "/priceMin", "detail": "is above priceMax"}])
    return Asked(
        limit=query.limit,
        wanted=Wanted(query.category, query.brand, query.kind, low, high, query.currency),
        channel=query.channel,
        explain=query.explain,
        diversity=query.diversity,
        explore=explore if query.explore is None else query.explore,
    )


def depth_of(asked: Asked, share: float) -> int:
    """Return how many candidates a list is made from."""
    more = exploration.POOL if share > 0 else 0
    if asked.diversity > 0:
        return min(max(ALIKE_POOL * asked.limit, asked.limit + more), MOST_ALIKE)
    return asked.limit + more


def arrange(
    services: Services, chosen: Sequence[live.Scored], asked: Asked, share: float, fitting: Fitting
) -> Arranged:
    """Return the list.

    Args:
        services: of this process.
        chosen: candidates, best first.
        asked: what was asked for.
        share: of places that are drawn.
        fitting: what newest items must fit.
    """
    seed = int.from_bytes(os.urandom(4), "big")
    if asked.diversity > 0:
        chosen = _apart(services, chosen, asked.limit, asked.diversity)
    if share <= 0:
        rows = [_row(rank, each, explain=asked.explain) for rank, each in enumerate(chosen[: asked.limit], start=1)]
        return Arranged(rows, seed)
    kept = asked.limit - exploration.drawn_places(asked.limit, share)
    chosen = [*chosen[: kept + exploration.POOL - NEW_ITEMS], *_newest(services, chosen, fitting)]
    places = exploration.explore(len(chosen), asked.limit, share, random.Random(seed))
    rows = []
    for rank, place in enumerate(places, start=1):
        row = _row(rank, chosen[place.candidate], explain=asked.explain)
        row["propensity"] = round(place.propensity, 6)
        if place.is_drawn:
            row["reasons"] = [*row["reasons"], DRAWN]
        rows.append(row)
    return Arranged(rows, seed)


def _apart(services: Services, chosen: Sequence[live.Scored], limit: int, weight: float) -> list[live.Scored]:
    """Return the candidates with those in front that are less alike; the others follow, best first."""
    items = [each.item_id for each in chosen]
    shelf = services.catalogue.shelf(services.graph)
    described = np.array([shelf.describe(item) for item in items], dtype=np.int64).reshape(-1, 2)
    lists = queries.neighbours(services.graph, items)
    neighbours = {item: scaled_neighbours(others, scores) for item, others, scores in lists}
    likeness = likeness_of(items, described[:, 0], described[:, 1], neighbours)
    front = diversify([each.score for each in chosen], likeness, limit, weight)
    taken = set(front)
    return [*(chosen[n] for n in front), *(each for n, each in enumerate(chosen) if n not in taken)]


def _newest(services: Services, chosen: Sequence[live.Scored], fitting: Fitting) -> list[live.Scored]:
    """Return new items, which few could act on yet: a list would hardly reach them."""
    known = fitting.seen | {each.item_id for each in chosen}
    shelf = services.catalogue.shelf(services.graph)
    newest = shelf.newest(fitting.wanted, fitting.age, NEW_ITEMS + len(known), int(fitting.now) - NEW_S)
    return [live.Scored(item) for item in newest if item not in known][:NEW_ITEMS]


def _row(rank: int, each: live.Scored, *, explain: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "rank": rank,
        "itemId": each.item_id,
        "score": round(each.score, 6),
        "reasons": each.reasons(),
    }
    if explain:
        row["parts"] = {
            "published": round(each.published, 6),
            "recentSimilar": round(each.recent_similar, 6),
            "friendShared": round(each.friend_shared, 6),
        }
    return row
