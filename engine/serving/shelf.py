"""What may be shown: attributes of items as columns, and the rules that hold for one list. Numpy only.

A list asks for a few hundred items at most, so the rules are worked out once for all items (a mask, kept as long as
nothing changes) and then cost a look-up for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NONE = -1
"""Stands for a text or price that an item lacks."""
PRODUCT = "product"
"""Kind of an item that names none."""
NOBODY = 999
"""Age that an item whose `minAge` is no number asks for."""
ANY_AGE = NOBODY + 1
KEPT_MASKS = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list may hold. None: anything."""

    category: str | None = None
    brand: str | None = None
    kind: str | None = None
    price_min: int | None = None
    """In minor units of `currency`, which must be there then; an item without a price does not fit."""
    price_max: int | None = None
    currency: str | None = None


ANYTHING = Wanted()


Facts = Sequence[Any]
"""`itemId available kind category brand priceMinor currency minAge createdS` of one item; None where it has none."""


class View:
    """The items that fit one list, as they were when it was begun."""

    __slots__ = ("_index", "_mask", "_size", "unknown")

    def __init__(self, index: Mapping[str, int], mask: bytes) -> None:
        self._index = index
        self._mask = mask
        self._size = len(mask)
        self.unknown: list[str] = []
        """Items that were asked for and are not on the shelf."""

    def allows(self, item_id: str) -> bool:
        """Whether the item is on the shelf and fits."""
        at = self._index.get(item_id, self._size)
        if at < self._size:
            return self._mask[at] == 1
        self.unknown.append(item_id)
        return False


class Shelf:
    """Attributes of up to so many items; one thread changes it while others read."""

    def __init__(self) -> None:
        self.index: dict[str, int] = {}
        """Place of each item."""
        self._ids: list[str] = []
        self._words: dict[str, int] = {}
        self._available = np.zeros(0, np.bool_)
        self._numbers: dict[str, NDArray[np.int64]] = {
            name: np.zeros(0, np.int64)
            for name in ("kind", "category", "brand", "price", "currency", "min_age", "created")
        }
        self._masks: dict[tuple[Wanted, int], bytes] = {}
        self._oldest_asked = 0
        """Largest `minAge` of any item: all who are older see the same."""

    def __len__(self) -> int:
        return len(self._ids)

    def update(self, rows: Iterable[Facts]) -> None:
        """Put items in or change what is known of them."""
        changed = False
        for row in rows:
            changed |= self._put(row)
        if changed:
            self._masks = {}

    def withdraw(self, item_id: str) -> None:
        """Show an item no longer, until an update says otherwise."""
        if (at := self.index.get(item_id)) is not None:
            self._available[at] = False
            self._masks = {}

    def view(self, wanted: Wanted = ANYTHING, age: int = ANY_AGE) -> View:
        """Return which items fit.

        Args:
            wanted: the filters.
            age: years of the user; items with a higher `minAge` do not fit.
        """
        masks = self._masks
        key = (wanted, min(age, self._oldest_asked))
        mask = masks.get(key)
        if mask is None:
            mask = self._mask(wanted, age).tobytes()
            if len(masks) >= KEPT_MASKS:
                masks.clear()
            masks[key] = mask
        return View(self.index, mask)

    def newest(self, wanted: Wanted, age: int, limit: int, since_s: int = 0) -> list[str]:
        """Return items that fit and were created at `since_s` (seconds since 1970) or later, newest first.

        With 0 also those whose creation is not known, at the end.
        """
        created = self._numbers["created"]
        mask = self._mask(wanted, age)
        places = np.flatnonzero(mask & (created[: len(mask)] >= since_s if since_s else True))
        order = np.argsort(-created[places], kind="stable")[:limit]
        return [self._ids[place] for place in places[order].tolist()]

    def describe(self, item_id: str) -> tuple[int, int]:
        """Return category and brand of an item as numbers, `NONE` where it has none or is not known."""
        at = self.index.get(item_id)
        if at is None:
            return NONE, NONE
        return int(self._numbers["category"][at]), int(self._numbers["brand"][at])

    def _mask(self, wanted: Wanted, age: int) -> NDArray[np.bool_]:
        size = len(self._ids)
        numbers = {name: column[:size] for name, column in self._numbers.items()}
        mask = self._available[:size] & (numbers["min_age"] <= age)
        for name in ("category", "brand", "kind"):
            if (word := getattr(wanted, name)) is not None:
                mask &= numbers[name] == self._words.get(word, NONE - 1)
        if wanted.currency is not None:
            mask &= numbers["currency"] == self._words.get(wanted.currency, NONE - 1)
            mask &= numbers["price"] >= (wanted.price_min or 0)
            if wanted.price_max is not None:
                mask &= numbers["price"] <= wanted.price_max
        return mask

    def _put(self, row: Facts) -> bool:
        item_id, available, kind, category, brand, price, currency, min_age, created_s = row
        at = self.index.get(item_id)
        is_new = at is None
        if at is None:
            at = len(self._ids)
            if at == len(self._available):
                self._grow()
        values = {
            "kind": self._word(PRODUCT if kind is None else kind),
            "category": self._word(category),
            "brand": self._word(brand),
            "price": NONE if price is None else int(price),
            "currency": self._word(currency),
            "min_age": _age(min_age),
            "created": 0 if created_s is None else int(created_s),
        }
        changed = is_new or bool(self._available[at]) != available
        self._available[at] = available
        for name, value in values.items():
            changed = changed or self._numbers[name][at] != value
            self._numbers[name][at] = value
        self._oldest_asked = max(self._oldest_asked, values["min_age"])
        if is_new:  # at the end: whoever finds the place finds all of it
            self._ids.append(item_id)
            self.index[item_id] = at
        return bool(changed)

    def _word(self, text: Any) -> int:
        return NONE if text is None else self._words.setdefault(str(text), len(self._words))

    def _grow(self) -> None:
        room = max(1_024, len(self._available))
        self._available = np.concatenate([self._available, np.zeros(room, np.bool_)])
        self._numbers = {
            name: np.concatenate([column, np.zeros(room, np.int64)]) for name, column in self._numbers.items()
        }


def _age(value: Any) -> int:
    if value is None:
        return 0
    try:
        return min(max(int(value), 0), NOBODY)
    except (TypeError, ValueError, OverflowError):
        return NOBODY


def years_between(birth_date: str, today: tuple[int, int, int]) -> int | None:
    """Return the full years from an ISO 8601 date to a day (year, month, day); None where it is no date."""
    parts = birth_date[:10].split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    year, month, day = (int(part) for part in parts)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return today[0] - year - (today[1:] < (month, day))
