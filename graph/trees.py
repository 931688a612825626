"""Trees of shares: the numbers of one, what they become when two are joined, and all of them anew from arrays.

Structural virality is the mean distance over all ordered pairs of different shares (Goel, Anderson, Hofman and Watts,
"The structural virality of online diffusion", Management Science 62(1), 2015). The sum of the distances over unordered
pairs is the sum over links of s (n - s), where s shares of a tree of n stand at or below the link. So a tree needs only
the sum of its depths, which is the sum of s over all links, and the sum of s^2; both change along one path when a share
joins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

GROWTH_HALF_LIFE_MS = 3_600_000


def growth_at(ms: int) -> float:
    """Return the growth of a single share at `ms`; with the present time, what one share of this moment is worth."""
    return ms / GROWTH_HALF_LIFE_MS


@dataclass(slots=True)
class Tree:
    """The numbers of a cascade, kept with its root."""

    level_sizes: list[int] = field(default_factory=lambda: [1])
    """Shares per depth; the root's is 0."""
    depth_sum: int = 0
    """Sum of all depths."""
    square_sum: int = 0
    """Sum over all shares but the root of the squared number of shares at or below it."""
    users: int = 0
    """Distinct users who shared."""
    opens: int = 0
    conversions: int = 0
    """Purchases credited to one of its shares and not paid back whole."""
    revenue: dict[str, int] = field(default_factory=dict)
    """What those purchases brought, less what was paid back; minor units by currency."""
    last_ms: int | None = None
    """When something last happened in it; None where no event had a time."""
    growth: float | None = None
    """log2 of the sum over shares of 2^(time / `GROWTH_HALF_LIFE_MS`). What order cascades have by it they have by the
    number of shares in which each counts half as much every hour, at any time. None where no share has a time."""

    @property
    def size(self) -> int:
        """Return the number of shares."""
        return sum(self.level_sizes)

    def seen(self, ms: int | None) -> None:
        """Note that something happened at `ms`."""
        if ms is not None:
            self.last_ms = ms if self.last_ms is None else max(self.last_ms, ms)

    def shared(self, ms: int | None) -> None:
        """Note that one of its shares was made at `ms`."""
        if ms is not None:
            self.seen(ms)
            self.grow(growth_at(ms))

    def grow(self, growth: float | None) -> None:
        """Add shares by the growth that they have alone."""
        if growth is not None:
            self.growth = growth if self.growth is None else float(np.logaddexp2(self.growth, growth))

    def join(self, child: Tree, depth: int, above: Sequence[int]) -> None:
        """Take in another tree, whose root becomes a share of this one.

        Args:
            child: the other tree; it is not to be used any more.
            depth: where its root stands from now on.
            above: how many shares stood at or below each of the shares between that place and this root, both
                excluded.
        """
        size = child.size
        self.square_sum += child.square_sum + size * size + sum(2 * size * each + size * size for each in above)
        self.depth_sum += child.depth_sum + size * depth
        lower = [0] * depth + child.level_sizes
        self.level_sizes = [one + other for one, other in zip_longest(self.level_sizes, lower, fillvalue=0)]
        self.users += child.users
        self.opens += child.opens
        self.conversions += child.conversions
        for currency, amount in child.revenue.items():
            self.earn(currency, amount)
        self.seen(child.last_ms)
        self.grow(child.growth)

    def earn(self, currency: str, amount_minor: int) -> None:
        """Add to the revenue in one currency; a currency of nothing is not listed."""
        amount = self.revenue.get(currency, 0) + amount_minor
        self.revenue.pop(currency, None)
        if amount:
            self.revenue[currency] = amount

    def properties(self) -> dict[str, Any]:
        """Return what the root carries."""
        one = next(iter(self.revenue.values()), 0) if len(self.revenue) < 2 else None
        currencies = sorted(self.revenue)
        return {
            "cascadeSize": self.size,
            "cascadeDepth": len(self.level_sizes) - 1,
            "cascadeWidth": max(self.level_sizes),
            "levelSizes": self.level_sizes,
            "structuralVirality": structural_virality(self.size, self.depth_sum, self.square_sum),
            "uniqueUsers": self.users,
            "opens": self.opens,
            "conversions": self.conversions,
            "revenueMinor": one,
            "revenueCurrencies": currencies,
            "revenueAmounts": [self.revenue[currency] for currency in currencies],
            "depthSum": self.depth_sum,
            "squareSum": self.square_sum,
            "growth": self.growth,
        }

    @classmethod
    def of(cls, stored: dict[str, Any], last_ms: int | None) -> Tree:
        """Return the tree whose root carries these properties."""
        return cls(
            list(stored["levelSizes"]),
            stored["depthSum"],
            stored["squareSum"],
            stored["uniqueUsers"],
            stored["opens"],
            stored["conversions"],
            dict(zip(stored["revenueCurrencies"], stored["revenueAmounts"], strict=True)),
            last_ms,
            stored["growth"],
        )


def structural_virality(size: int, depth_sum: int, square_sum: int) -> float:
    """Return the mean distance between two shares of a tree, 0 for a single share."""
    return 0.0 if size < 2 else 2.0 * (size * depth_sum - square_sum) / (size * (size - 1))


ROOT_PROPERTIES = (*Tree().properties(), "lastActivityAt")
"""What only a root carries."""
FORECAST_PROPERTIES = (
    "forecastSize", "forecastLow", "forecastHigh", "forecastAt", "forecastFrom",
    "forecastTimes", "forecastSizes", "forecastLows", "forecastHighs", "unusual", "alertedCodes",
)  # fmt: skip
"""What a root carries besides, as long as it is one: what is expected of its cascade, by the time of the forecast."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where each of N shares stands; a share is named by its position."""

    root: Ints
    """(N,) the first share of its tree."""
    depth: Ints
    """(N,) links up to the root."""
    below: Ints
    """(N,) shares at or below it."""


def places(parent: Ints) -> Places:
    """Return where the shares of a forest stand.

    Args:
        parent: (N,) the share that each one passes on, -1 for a root.

    Raises:
        ValueError: shares pass each other on in a circle.
    """
    count = len(parent)
    here = np.arange(count)
    root = np.where(parent < 0, here, parent)
    depth = (parent >= 0).astype(np.int64)
    for _ in range(count.bit_length() + 1):  # each round doubles the links that are known
        if np.array_equal(above := root[root], root):
            break
        depth, root = depth + depth[root], above
    if (parent[root] >= 0).any():
        raise ValueError("shares pass each other on in a circle")
    below = np.ones(count, np.int64)
    order = np.argsort(-depth, kind="stable")
    ends = np.flatnonzero(np.diff(depth[order], append=-1)) + 1
    start = 0
    for end in ends.tolist():
        level = order[start:end]
        if depth[level[0]]:
            np.add.at(below, parent[level], below[level])
        start = end
    return Places(root, depth, below)
