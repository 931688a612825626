"""The live part of a list: what happened since the model was trained, added to the published scores.

    live(i) = published(i) + sum over recent acts a of w(type) 2^(-age/HALF_LIFE) sim(a, i) + friends' shares of i

`published` is scaled to [0, 1] over the user's list, `sim` to [0, 1] over the neighbours of one item, so that the
weights mean the same whatever the model's scores are. Pure Python: a list has 200 entries and a request some
milliseconds.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, islice
from operator import itemgetter

from engine.types import REASONS

HALF_LIFE_S = 86_400.0
"""An act counts half after a day: by the next training the published scores know it."""
SHARE_HALF_LIFE_S = 43_200.0
ACT_WEIGHT = 0.6
"""What the nearest neighbour of an item liked just now gains, in units of the published list's range."""
SHARE_WEIGHT = 0.35
SHARE_LIMIT = 0.7
"""Most that friends' shares add to one item."""
TYPE_WEIGHTS: Mapping[str, float] = {
    "VIEWED": 0.3,
    "LIKED": 1.0,
    "COMMENTED": 0.8,
    "SAVED": 1.0,
    "ADDED_TO_CART": 1.2,
    "PURCHASED": 1.0,
    "RATED": 1.0,
    "HIDDEN": -1.0,
}
NEUTRAL_RATING = 2.5
"""A lower rating speaks against the neighbours."""
NO_REASON = 255
RECENT_SIMILAR = REASONS.index("recentSimilar")
FRIEND_SHARED = REASONS.index("friendShared")


@dataclass(frozen=True, slots=True)
class Act:
    """One of the user's last interactions, with the item's neighbours."""

    item_id: str
    type: str
    """One of INTERACTION_TYPES."""
    age_s: float
    rating: float | None = None
    similar: Sequence[str] = ()
    similar_scores: Sequence[float] = ()
    """Best first; only their ratio to the first counts."""


@dataclass(frozen=True, slots=True)
class FriendShare:
    """A friend's share of an item within the last day."""

    item_id: str
    age_s: float
    strength: float = 1.0


@dataclass(slots=True)
class Scored:
    """An item with its live score and what it is made of."""

    item_id: str
    published: float = 0.0
    """In [0, 1], scaled over the list."""
    recent_similar: float = 0.0
    friend_shared: float = 0.0
    codes: Sequence[int] = field(default_factory=tuple)
    """Reasons of the published score, largest first, positions in REASONS."""

    @property
    def score(self) -> float:
        """The live score."""
        return self.published + self.recent_similar + self.friend_shared

    def reasons(self) -> list[str]:
        """Names of the parts that raised the score, largest first."""
        parts = [(self.published, self.codes), (self.recent_similar, (RECENT_SIMILAR,))]
        parts.append((self.friend_shared, (FRIEND_SHARED,)))
        ranked = sorted((part for part in parts if part[0] > 0 or part[1] is self.codes), key=lambda p: -p[0])
        return [REASONS[code] for _, codes in ranked for code in codes if code != NO_REASON]


def _range(scores: Sequence[float]) -> tuple[float, float]:
    """Return what scores (best first) are scaled by, so that the first is 1 and the last of more than one is 0."""
    if not scores:
        return 0.0, 0.0
    low = scores[-1] if len(scores) > 1 else 0.0
    return low, scores[0] - low


def unpacked(codes: int) -> tuple[int, ...]:
    """Return the reasons packed as `first * 256 + second`."""
    return tuple(code for code in (codes >> 8, codes & 255) if code < len(REASONS))


def blend(
    items: Sequence[str],
    scores: Sequence[float],
    codes: Sequence[int],
    *,
    acts: Iterable[Act],
    shares: Iterable[FriendShare],
    excluded: Collection[str],
    limit: int,
    allows: Callable[[str], bool] | None = None,
) -> list[Scored]:
    """Return the best `limit` items by live score, best first; equal scores by item id.

    Args:
        items: the published list, best first.
        scores: its scores, same length, any unit, descending.
        codes: its packed reasons, same length.
        acts: the user's last interactions.
        shares: consenting friends' shares of the last day.
        excluded: items that may not be shown (seen).
        limit: at most so many.
        allows: whether an item may be shown by its attributes; asked from the best item on.
    """
    low, span = _range(scores)
    place = {item: n for n, item in enumerate(items)}

    def published(item: str) -> float:
        at = place.get(item)
        return 0.0 if at is None else (scores[at] - low) / span if span > 0 else 1.0

    gained, shared = gains_of_acts(acts), gains_of_shares(shares)
    moved: dict[str, float] = {}
    for gains in (gained, shared):
        for item, gain in gains.items():
            if gain > 0 or item in place:
                moved[item] = moved.get(item, published(item)) + gain
    # Few items move: those are sorted, the others stand as published and are looked at as far as the list needs them.
    front = sorted((-score, item) for item, score in moved.items() if item not in excluded)
    rest = ((-published(item), item) for item in items if item not in moved and item not in excluded)
    in_order = chain.from_iterable(sorted(run) for _, run in groupby(rest, key=itemgetter(0)))
    ranked = (item for _, item in heapq.merge(front, in_order) if allows is None or allows(item))
    return [
        Scored(
            item,
            published(item),
            gained.get(item, 0.0),
            shared.get(item, 0.0),
            unpacked(codes[place[item]]) if item in place else (),
        )
        for item in islice(ranked, limit)
    ]


def gains_of_acts(acts: Iterable[Act]) -> dict[str, float]:
    """Return what the neighbours of the last interactions gain (or lose, when hidden or rated low)."""
    gains: defaultdict[str, float] = defaultdict(float)
    for act in acts:
        if not act.similar or act.similar_scores[0] <= 0:
            continue
        weight = ACT_WEIGHT * act_weight(act) / act.similar_scores[0]
        for item, score in zip(act.similar, act.similar_scores, strict=True):
            if score > 0:
                gains[item] += weight * score
    return gains


def act_weight(act: Act) -> float:
    """Return how much an interaction speaks for (or against) its item now, in [-1.2, 1.2]."""
    weight = TYPE_WEIGHTS.get(act.type, 0.0)
    if act.type == "RATED" and act.rating is not None:
        weight *= (act.rating - NEUTRAL_RATING) / NEUTRAL_RATING
    return weight * 2.0 ** (-max(act.age_s, 0.0) / HALF_LIFE_S)


def gains_of_shares(shares: Iterable[FriendShare]) -> dict[str, float]:
    """Return what friends' shares add to items, at most `SHARE_LIMIT` each."""
    gains: defaultdict[str, float] = defaultdict(float)
    for share in shares:
        fresh = 2.0 ** (-max(share.age_s, 0.0) / SHARE_HALF_LIFE_S)
        gains[share.item_id] += SHARE_WEIGHT * fresh * min(max(share.strength, 0.0), 1.0)
    return {item: min(gain, SHARE_LIMIT) for item, gain in gains.items()}
