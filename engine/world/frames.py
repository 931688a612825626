"""A generated world as tables in the columns of Kith's input folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.world import words
from engine.world.behaviour import DAY_S, TYPES, Acts
from engine.world.cascades import SharedItems
from engine.world.catalogue import Goods
from engine.world.people import Crowd

if TYPE_CHECKING:
    from engine.world import WorldSettings

CURRENCY = "EUR"
CHANNELS = ("app", "web")
PLATFORMS = ("chat", "feed", "mail")


def name(
    settings: WorldSettings, crowd: Crowd, goods: Goods, *, acts: Acts, shared: SharedItems, rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """Return the seven tables by name; ids ascend with the row, so row u of `users` is user u of the truth."""
    users, items = _ids("u", settings.users), _ids("i", settings.items)
    shares = _ids("s", len(shared.parent))
    begin_s = settings.end_s - settings.days * DAY_S
    return {
        "users": _users(users, crowd, settings.end_s, begin_s, rng),
        "items": _items(items, goods, rng),
        "friends": _friends(users, crowd, begin_s, rng),
        "follows": _follows(users, crowd, begin_s, rng),
        "interactions": _interactions(users, items, goods, acts, rng),
        "shares": _shares(users, items, shares, shared, rng),
        "opens": pd.DataFrame(
            {
                "eventId": _ids("o", len(shared.open)),
                "userId": users[shared.open[:, 1]],
                "shareId": shares[shared.open[:, 0]],
                "occurredAt": _times(shared.open_at_s),
            }
        ),
    }


def _ids(prefix: str, count: int) -> NDArray[np.object_]:
    width = max(5, len(str(count)))
    return np.array([f"{prefix}{n:0{width}d}" for n in range(count)], dtype=object)


def _times(at_s: NDArray[np.int64]) -> pd.Series:
    return pd.Series(at_s.astype("datetime64[s]")).dt.tz_localize("UTC")


def _users(
    users: NDArray[np.object_], crowd: Crowd, end_s: int, begin_s: int, rng: np.random.Generator
) -> pd.DataFrame:
    count = len(users)
    joined = np.where(crowd.activity > 0, begin_s - rng.integers(0, 720 * DAY_S, count), end_s - 2 * DAY_S)
    # People of one community tend to live in one city.
    moved = rng.random(count) < 0.35
    city = np.where(moved, rng.integers(0, len(words.CITIES), count), crowd.community % len(words.CITIES))
    return pd.DataFrame(
        {
            "userId": users,
            "displayName": words.name_people(count, rng),
            "city": np.array(words.CITIES, object)[city],
            "ageGroup": rng.choice(np.array(words.AGE_GROUPS, object), count, p=(0.22, 0.34, 0.22, 0.13, 0.09)),
            "createdAt": _times(joined),
            "consent": np.full(count, "all", object),
        }
    )


def _items(items: NDArray[np.object_], goods: Goods, rng: np.random.Generator) -> pd.DataFrame:
    is_content = goods.price_minor == 0
    title, description = words.describe_items(goods.category, goods.brand, is_content, rng)
    return pd.DataFrame(
        {
            "itemId": items,
            "kind": np.where(is_content, "content", "product"),
            "title": title,
            "description": description,
            "category": np.array(list(words.CATEGORIES), object)[goods.category],
            "brand": np.array(words.BRANDS, object)[goods.brand],
            "priceMinor": pd.array(goods.price_minor, "Int64").copy(),
            "currency": np.where(is_content, None, CURRENCY),
            "rating": goods.rating,
            "stock": pd.array(goods.stock, "Int64"),
            "createdAt": _times(goods.created_at_s),
            "available": is_content | (goods.stock > 0),
        }
    ).assign(
        priceMinor=lambda frame: frame["priceMinor"].mask(is_content),
        stock=lambda frame: frame["stock"].mask(is_content),
    )


def _friends(users: NDArray[np.object_], crowd: Crowd, begin_s: int, rng: np.random.Generator) -> pd.DataFrame:
    since = begin_s - rng.integers(0, 1_000 * DAY_S, len(crowd.friends))
    return pd.DataFrame(
        {
            "userId": users[crowd.friends[:, 0]],
            "friendId": users[crowd.friends[:, 1]],
            "since": _times(since),
            "strength": np.round(crowd.strength.astype(np.float64), 2),
        }
    )


def _follows(users: NDArray[np.object_], crowd: Crowd, begin_s: int, rng: np.random.Generator) -> pd.DataFrame:
    """About two a user, towards sociable people."""
    count = len(users)
    fame = crowd.sociability**2
    source = rng.integers(0, count, 2 * count)
    target = rng.choice(count, 2 * count, p=fame / fame.sum())
    key = np.unique((source * count + target)[source != target])
    return pd.DataFrame(
        {
            "userId": users[key // count],
            "friendId": users[key % count],
            "since": _times(begin_s - rng.integers(0, 500 * DAY_S, len(key))),
        }
    )


def _interactions(
    users: NDArray[np.object_], items: NDArray[np.object_], goods: Goods, acts: Acts, rng: np.random.Generator
) -> pd.DataFrame:
    bought, rated = acts.type == TYPES.index("purchase"), acts.type == TYPES.index("rate")
    stars = np.clip(np.round(goods.rating[acts.item] + rng.normal(0.2, 0.7, len(acts.item))), 0, 5)
    return pd.DataFrame(
        {
            "eventId": _ids("e", len(acts.user)),
            "userId": users[acts.user],
            "itemId": items[acts.item],
            "type": np.array(TYPES, object)[acts.type],
            "occurredAt": _times(acts.at_s),
            "valueMinor": pd.Series(goods.price_minor[acts.item], dtype="Int64").where(bought),
            "currency": np.where(bought, CURRENCY, None),
            "rating": np.where(rated, stars, np.nan),
        }
    )


def _shares(
    users: NDArray[np.object_],
    items: NDArray[np.object_],
    shares: NDArray[np.object_],
    shared: SharedItems,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """One row per recipient; a share without recipients has one row whose recipientId is missing."""
    count = len(shares)
    lonely = np.setdiff1d(np.arange(count), shared.send[:, 0])
    row = np.concatenate([shared.send[:, 0], lonely])
    recipient = np.concatenate([users[shared.send[:, 1]], np.full(len(lonely), None, object)])
    parent = np.full(count, None, object)
    parent[shared.parent >= 0] = shares[shared.parent[shared.parent >= 0]]
    channel = rng.choice(np.array(CHANNELS, object), count)
    platform = rng.choice(np.array(PLATFORMS, object), count)
    order = np.argsort(row, kind="stable")
    row, recipient = row[order], recipient[order]
    return pd.DataFrame(
        {
            "shareId": shares[row],
            "userId": users[shared.share.user[row]],
            "itemId": items[shared.share.item[row]],
            "occurredAt": _times(shared.share.at_s[row]),
            "channel": channel[row],
            "platform": platform[row],
            "parentShareId": parent[row],
            "recipientId": recipient,
        }
    )
