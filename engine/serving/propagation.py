"""P(u->v | i) of a version for a few pairs: whether v acts on item i once u shares it.

What plans of campaigns read whole (`engine/strategy/model.py`), read here where it lies; learned by
`engine/propagation/pairlearning.py` and `itemlearning.py`, argued in docs/adr/0021.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.types import ItemSpread

EDGES = ("edge_source", "edge_target", "edge_probability")
SPREAD = ("spread_user", "spread_item", "spread_bias")
"""Tables of a model folder; those of the spread are there where enough shares were acted on to learn from."""
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Propagation:
    """The ties of a version and what items and being sent add to their log-odds."""

    source: NDArray[np.int32]
    """(E,) u of each tie, ascending."""
    target: NDArray[np.int32]
    """(E,) v"""
    probability: NDArray[np.float32]
    """(E,) P(u->v)"""
    spread: ItemSpread
    sent_base: float = 0.0
    sent_slope: float = 1.0
    """log-odds of what is sent to v = base + slope * log-odds of what u shares."""

    @classmethod
    def from_folder(cls, tables: Mapping[str, NDArray[Any]], metrics: Mapping[str, Any]) -> Propagation | None:
        """Return a version's, mapped as its tables are; None where too few shares were acted on to learn from."""
        spread = spread_of(tables, metrics)
        if spread is None or not all(name in tables for name in EDGES):
            return None
        sent = _card(metrics).get("sent", {})
        return cls(
            *(tables[name] for name in EDGES), spread, float(sent.get("base", 0.0)), float(sent.get("slope", 1.0))
        )

    def chances(
        self, sender: int, recipients: Sequence[int], item: int | None, channel: str | None = None
    ) -> NDArray[np.float64]:
        """Return the chance that each recipient acts on the share if it is sent to them, (N,); nan without a tie.

        Args:
            sender: u.
            recipients: N users.
            item: None: one that the version does not hold, which adds nothing.
            channel: that it is shared in.
        """
        first, last = np.searchsorted(self.source, np.array([sender, sender + 1], self.source.dtype))
        chance_of = dict(zip(self.target[first:last].tolist(), self.probability[first:last].tolist(), strict=True))
        chance = np.array([chance_of.get(each, np.nan) for each in recipients], np.float64).clip(_LEAST, 1.0 - _LEAST)
        odds = np.log(chance / (1.0 - chance)) + self.spread.in_channel(channel)
        if item is not None:
            odds += self.spread.user[list(recipients)] @ self.spread.item[item] + self.spread.bias[item]
        return 1.0 / (1.0 + np.exp(-(self.sent_base + self.sent_slope * odds)))


def spread_of(tables: Mapping[str, NDArray[Any]], metrics: Mapping[str, Any]) -> ItemSpread | None:
    """Return what items and channels add in a version; None where too few shares were acted on to learn it."""
    if not all(name in tables for name in SPREAD):
        return None
    return ItemSpread(*(tables[name] for name in SPREAD), channels=_card(metrics).get("channels", {}))


def _card(metrics: Mapping[str, Any]) -> Mapping[str, Any]:
    return metrics.get("influence", {}).get("items", {})
