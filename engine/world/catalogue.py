"""The goods of a generated world: categories, brands, prices, ratings, words, and who likes what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.world import words

DAY_S = 86_400
LATENT = 12
POPULARITY_EXPONENT = 0.6
TASTE_SHARPNESS = 8.0
"""How much taste counts beside popularity: e to this power between the best match and an indifferent one."""
NEW_SHARE = 0.01
"""Share of items that came in the last two days and that nobody has seen yet."""
CONTENT_SHARE = 0.08
"""Share of items that are content (a guide, a video) rather than products; they have no price."""


@dataclass(frozen=True, slots=True)
class Goods:
    """Items 0..I-1 and what is true of them."""

    taste_items: NDArray[np.float64]
    """(T, I) rows sum to 1: chance that someone of a taste picks an item."""
    category: NDArray[np.int64]
    """(I,) position in words.CATEGORIES."""
    brand: NDArray[np.int64]
    """(I,) position in words.BRANDS."""
    price_minor: NDArray[np.int64]
    """(I,) 0 for content."""
    rating: NDArray[np.float64]
    """(I,) in [1, 5], one decimal."""
    stock: NDArray[np.int64]
    """(I,)"""
    created_at_s: NDArray[np.int64]
    """(I,)"""


def stock(items: int, taste_count: int, end_s: int, days: int, rng: np.random.Generator) -> Goods:
    """Return `items` goods and `taste_count` tastes over them."""
    category = rng.choice(len(words.CATEGORIES), items, p=rng.dirichlet(np.full(len(words.CATEGORIES), 4.0)))
    # A category has a handful of its brands, so that brand tells something beside category.
    brand = (category * 3 + rng.integers(0, 6, items)) % len(words.BRANDS)
    is_new = np.zeros(items, bool)
    is_new[rng.choice(items, max(1, round(items * NEW_SHARE)), replace=False)] = True
    age_days = np.where(is_new, rng.uniform(0.1, 2.0, items), days + 1 + rng.exponential(200.0, items))
    level = rng.normal(np.log(2_500), 0.9, len(words.CATEGORIES))[category]
    price_minor = np.exp(level + rng.normal(0.0, 0.5, items)).astype(np.int64) // 100 * 100 + 99
    price_minor[rng.random(items) < CONTENT_SHARE] = 0
    return Goods(
        taste_items=_tastes(category, brand, is_new, taste_count, rng),
        category=category,
        brand=brand,
        price_minor=price_minor,
        rating=np.round(np.clip(rng.normal(4.0, 0.5, items), 1.0, 5.0), 1),
        stock=rng.poisson(40, items),
        created_at_s=(end_s - age_days * DAY_S).astype(np.int64),
    )


def _tastes(
    category: NDArray[np.int64],
    brand: NDArray[np.int64],
    is_new: NDArray[np.bool_],
    taste_count: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Chance of item i for taste t, proportional to popularity(i) * exp(sharpness * cosine(t, i))."""
    of_category = rng.normal(size=(len(words.CATEGORIES), LATENT))
    of_brand = rng.normal(size=(len(words.BRANDS), LATENT))
    item = of_category[category] + 0.4 * of_brand[brand] + 0.6 * rng.normal(size=(len(category), LATENT))
    home = rng.integers(0, len(words.CATEGORIES), taste_count)
    taste = of_category[home] + 0.6 * rng.normal(size=(taste_count, LATENT))
    cosine = _unit(taste) @ _unit(item).T
    popularity = (1.0 + rng.permutation(len(category))) ** -POPULARITY_EXPONENT
    weight = np.where(is_new, 0.0, popularity) * np.exp(TASTE_SHARPNESS * cosine)
    return weight / weight.sum(axis=1, keepdims=True)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
