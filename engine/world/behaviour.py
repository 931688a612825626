"""What people do in a generated world: visits by taste, and the funnel from a view to a rating."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.world.catalogue import Goods
from engine.world.people import Crowd

if TYPE_CHECKING:
    from engine.world.cascades import SharedItems

DAY_S = 86_400
STEPS = (
    # type, chance after a view of average liking, median delay in seconds
    ("like", 0.16, 20),
    ("save", 0.05, 40),
    ("comment", 0.04, 120),
    ("addToCart", 0.09, 180),
    ("purchase", 0.05, 5_400),
    ("rate", 0.02, 6 * DAY_S),
)
TYPES = ("view", *(name for name, _, _ in STEPS))


@dataclass(frozen=True, slots=True)
class Clock:
    """When things happen: a growing shop with evenings busier than nights."""

    end_s: int
    days: int

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return (count,) seconds within the last `days` days before `end_s`."""
        day = np.floor(self.days * rng.beta(1.4, 1.0, count))
        hour = np.where(rng.random(count) < 0.7, rng.normal(19.5, 2.5, count), rng.uniform(0, 24, count)) % 24
        at = self.end_s - self.days * DAY_S + (day * DAY_S + hour * 3600).astype(np.int64)
        return np.minimum(at, self.end_s - 1 - rng.integers(0, 3600, count))


@dataclass(frozen=True, slots=True)
class Visits:
    """Someone looked at something."""

    user: NDArray[np.int64]
    """(V,)"""
    item: NDArray[np.int64]
    """(V,)"""
    at_s: NDArray[np.int64]
    """(V,)"""


@dataclass(frozen=True, slots=True)
class Acts:
    """Interactions in the order of time."""

    user: NDArray[np.int64]
    """(A,)"""
    item: NDArray[np.int64]
    """(A,)"""
    type: NDArray[np.int8]
    """(A,) position in TYPES."""
    at_s: NDArray[np.int64]
    """(A,)"""


def visits(crowd: Crowd, goods: Goods, count: int, clock: Clock, rng: np.random.Generator) -> Visits:
    """Return `count` visits: a user by activity, one of their tastes by weight, an item of that taste."""
    user = rng.choice(len(crowd.activity), count, p=crowd.activity)
    slot = (rng.random((count, 1)) > np.cumsum(crowd.taste_weights[user], axis=1)[:, :-1]).sum(axis=1)
    taste = crowd.tastes[user, slot].astype(np.int64)
    # Row t of the flattened cumulative table runs from t to t + 1, so one search serves every taste.
    table = (np.cumsum(goods.taste_items, axis=1) + np.arange(len(goods.taste_items))[:, None]).ravel()
    point = taste + rng.random(count)
    order = np.argsort(point)  # searching in order keeps to the cache
    found = np.empty(count, np.int64)
    found[order] = np.searchsorted(table, point[order], side="right")
    items = goods.taste_items.shape[1]
    return Visits(user, np.clip(found - taste * items, 0, items - 1), clock.draw(count, rng))


def funnel(
    crowd: Crowd, goods: Goods, shared: SharedItems, *, count: int, clock: Clock, rng: np.random.Generator
) -> Acts:
    """Return exactly `count` interactions: views after opened shares, views of one's own accord, what follows.

    Of one user and item, every type but `view` happens at most once.
    """
    own = visits(crowd, goods, count, clock, rng)
    user = np.concatenate([shared.seen.user, own.user])
    item = np.concatenate([shared.seen.item, own.item])
    at_s = np.concatenate([shared.seen.at_s, own.at_s])
    happens, when = _follow_up(crowd, goods, Visits(user, item, at_s), clock, rng)
    # Whole visits are taken until the count is reached; only the last one may be cut short.
    taken = np.flatnonzero(np.cumsum(happens.sum(axis=1)) <= count)
    rest = count - int(happens[taken].sum())
    visit, kind = np.nonzero(happens[: len(taken)])
    if rest:
        visit = np.concatenate([visit, np.arange(len(taken), min(len(taken) + rest, len(user)))])
        kind = np.concatenate([kind, np.zeros(len(visit) - len(kind), np.int64)])
    order = np.argsort(when[visit, kind], kind="stable")
    visit, kind = visit[order], kind[order]
    return Acts(user[visit], item[visit], kind.astype(np.int8), when[visit, kind])


def _follow_up(
    crowd: Crowd, goods: Goods, seen: Visits, clock: Clock, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return (happens, when), each (V, len(TYPES)): what each visit leads to; liking raises every chance."""
    weight = crowd.taste_weights[seen.user]
    liking = (weight * goods.taste_items[crowd.tastes[seen.user], seen.item[:, None]]).sum(axis=1)
    liking = np.clip(np.sqrt(liking / max(float(liking.mean()), 1e-12)) if len(liking) else liking, 0.2, 2.5)
    happens = np.ones((len(liking), len(TYPES)), bool)
    when = np.repeat(seen.at_s[:, None], len(TYPES), axis=1)
    pair = seen.user * goods.taste_items.shape[1] + seen.item
    for step, (name, chance, delay_s) in enumerate(STEPS, start=1):
        happens[:, step] = rng.random(len(liking)) < np.minimum(chance * liking, 0.9)
        base = when[:, step - 1] if name in ("purchase", "rate") else seen.at_s
        when[:, step] = base + (delay_s * rng.lognormal(0.0, 0.7, len(liking))).astype(np.int64)
    is_product = goods.price_minor[seen.item] > 0
    cart, purchase, rate = (TYPES.index(name) for name in ("addToCart", "purchase", "rate"))
    happens[:, cart] &= is_product
    happens[:, purchase] &= is_product
    happens[:, cart] |= happens[:, purchase]
    happens[:, rate] |= happens[:, purchase] & (rng.random(len(liking)) < 0.3)
    happens &= when <= clock.end_s
    for step in range(1, len(TYPES)):
        done = np.flatnonzero(happens[:, step])
        _, first = np.unique(pair[done], return_index=True)
        happens[:, step] = False
        happens[done[first], step] = True
    return happens, when
