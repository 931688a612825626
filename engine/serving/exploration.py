"""Lists that try something: some places are drawn, with a known probability, from candidates further down.

Of `limit` places k = max(1, round(share * limit)) are drawn. The best limit - k candidates are in every list; the k
others are drawn without replacement, each as likely as the next, from the following `POOL` candidates, so that each of
those is in the list with probability k / POOL. Drawn items stand at random places: what is learned from them does not
mix with what a place is worth. Propensities are those of inverse propensity scoring (Swaminathan and Joachims, 2015).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

POOL = 50
"""Candidates that are drawn from, at most."""
MOST_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """One place of a list."""

    candidate: int
    """Position among the candidates, best first."""
    propensity: float
    """Probability that the candidate is in the list, in (0, 1]."""
    is_drawn: bool


def drawn_places(limit: int, share: float) -> int:
    """Return how many of `limit` places are drawn."""
    return max(1, round(share * limit)) if share > 0 else 0


def explore(candidates: int, limit: int, share: float, generator: random.Random) -> list[Place]:
    """Return the places of a list, first to last.

    Args:
        candidates: how many there are, best first.
        limit: places of the list.
        share: of the places that are drawn, in [0, MOST_SHARE]; 0 draws none.
        generator: repeats the draw when it has the same seed.
    """
    length = min(limit, candidates)
    drawn = min(drawn_places(limit, share), length)
    kept = length - drawn
    pool = range(kept, min(kept + POOL, candidates))
    places = [Place(n, 1.0, is_drawn=False) for n in range(kept)]
    for chosen in generator.sample(pool, drawn):
        place = Place(chosen, drawn / len(pool), is_drawn=True)
        places.insert(generator.randrange(len(places) + 1), place)
    return places
