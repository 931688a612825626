"""A generated world straight as a GraphSnapshot, for what needs a snapshot but no database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.artifact import identified
from engine.types import INTERACTION_TYPES, Edges, GraphSnapshot, Nodes

if TYPE_CHECKING:
    from engine.world import World

RELATIONSHIPS = {
    "view": "VIEWED",
    "like": "LIKED",
    "comment": "COMMENTED",
    "save": "SAVED",
    "addToCart": "ADDED_TO_CART",
    "purchase": "PURCHASED",
    "rate": "RATED",
}
"""Event type -> relationship type."""
_TEXT = {"users": ("displayName", "city", "ageGroup"), "items": ("kind", "title", "description", "category", "brand")}
_NUMBERS = {"users": (), "items": ("priceMinor", "rating", "stock")}


def to_snapshot(world: World) -> GraphSnapshot:
    """Return what an export would give of this world had it been imported: views folded, one row per share."""
    user, item = pd.Index(world.users["userId"]), pd.Index(world.items["itemId"])
    heads = world.shares.drop_duplicates("shareId")
    share = pd.Index(heads["shareId"])
    parent = share.get_indexer(heads["parentShareId"])
    sends = world.shares.dropna(subset=["recipientId"])
    return identified(
        GraphSnapshot(
            snapshot_id="",
            watermark_s=int(_seconds(world.interactions["occurredAt"]).max(initial=0)),
            users=_nodes(world.users, "users"),
            items=_nodes(world.items, "items"),
            interactions=_interactions(world.interactions, user, item),
            friends=Edges(
                _rows(user, world.friends["userId"]),
                _rows(user, world.friends["friendId"]),
                {
                    "strength": world.friends["strength"].to_numpy(np.float32),
                    "since_s": _seconds(world.friends["since"]),
                },
            ),
            follows=Edges(
                _rows(user, world.follows["userId"]),
                _rows(user, world.follows["friendId"]),
                {"since_s": _seconds(world.follows["since"])},
            ),
            shares=Edges(
                _rows(user, heads["userId"]),
                _rows(item, heads["itemId"]),
                {
                    "occurred_at_s": _seconds(heads["occurredAt"]),
                    "parent": parent.astype(np.int32),
                    "depth": _depth(parent),
                    "channel": heads["channel"].to_numpy(dtype=object),
                },
            ),
            sends=Edges(_rows(share, sends["shareId"]), _rows(user, sends["recipientId"])),
            opens=Edges(
                _rows(share, world.opens["shareId"]),
                _rows(user, world.opens["userId"]),
                {"occurred_at_s": _seconds(world.opens["occurredAt"])},
            ),
            share_ids=share.to_numpy(dtype=object),
        )
    )


def _rows(index: pd.Index, ids: pd.Series) -> NDArray[np.int32]:
    return index.get_indexer(ids).astype(np.int32)


def _seconds(times: pd.Series) -> NDArray[np.int64]:
    return times.dt.tz_localize(None).to_numpy("datetime64[s]").astype(np.int64)


def _nodes(frame: pd.DataFrame, table: str) -> Nodes:
    columns: dict[str, NDArray[Any]] = {name: frame[name].to_numpy(dtype=object) for name in _TEXT[table]}
    columns |= {name: frame[name].to_numpy(np.float64, na_value=np.nan) for name in _NUMBERS[table]}
    columns["createdAt"] = _seconds(frame["createdAt"])
    return Nodes(frame.iloc[:, 0].to_numpy(dtype=object), columns)


def _interactions(frame: pd.DataFrame, user: pd.Index, item: pd.Index) -> Edges:
    flat = pd.DataFrame(
        {
            "user": _rows(user, frame["userId"]),
            "item": _rows(item, frame["itemId"]),
            "type": frame["type"].map({k: INTERACTION_TYPES.index(v) for k, v in RELATIONSHIPS.items()}),
            "at_s": _seconds(frame["occurredAt"]),
            "rating": frame["rating"].to_numpy(np.float32),
        }
    )
    folded = flat.groupby(["user", "item", "type"], sort=True).agg(
        at_s=("at_s", "max"), count=("at_s", "size"), rating=("rating", "last")
    )
    key = folded.index
    return Edges(
        key.get_level_values("user").to_numpy(np.int32),
        key.get_level_values("item").to_numpy(np.int32),
        {
            "type": key.get_level_values("type").to_numpy(np.int8),
            "occurred_at_s": folded["at_s"].to_numpy(np.int64),
            "count": folded["count"].to_numpy(np.uint16),
            "rating": folded["rating"].to_numpy(np.float32),
        },
    )


def _depth(parent: NDArray[np.integer]) -> NDArray[np.int32]:
    """Depth of each share; parents come before their children."""
    depth = np.zeros(len(parent), np.int32)
    for row in np.flatnonzero(parent >= 0):
        depth[row] = depth[parent[row]] + 1
    return depth
