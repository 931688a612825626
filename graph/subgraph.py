"""A part of a snapshot: by time, category, community, or nearness to seeds. Arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.types import NO_TIME, Edges, GraphSnapshot, Nodes
from graph.errors import InputError

MOST_HOPS = 10

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class SubgraphOptions:
    """Which part of the graph; several together mean all of them at once."""

    since: str | None = None
    """Only interactions, shares and opens from this time on (ISO 8601, UTC unless it says otherwise); nodes and ties
    stay. What has no time never counts as recent."""
    category: str | None = None
    """Only items of this category, and the users who acted on or shared one of them."""
    community: str | None = None
    """Only users whose property `community` has this value, and the items they acted on or shared."""
    seeds: tuple[str, ...] = ()
    """Only users within `hops` of these userIds along friendships, follows and shares sent, and their items."""
    hops: int = 1

    def since_s(self) -> int | None:
        """Return `since` in whole seconds.

        Raises:
            InputError: it is not a time.
        """
        if not self.since:
            return None
        try:
            moment = datetime.fromisoformat(self.since)
        except ValueError:
            raise InputError(f"since is {self.since!r}, which is not an ISO 8601 time") from None
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def restrict(snapshot: GraphSnapshot, options: SubgraphOptions) -> GraphSnapshot:
    """Return the part of the snapshot that the options name, with its own dense indices.

    Raises:
        InputError: `since` is not a time, `hops` is not 0 to 10, or no seed is in the snapshot.
    """
    users, items = np.ones(len(snapshot.users), dtype=bool), np.ones(len(snapshot.items), dtype=bool)
    snapshot = _since(snapshot, options.since_s())
    if options.community is not None:
        users &= _equals(snapshot.users, "community", options.community)
    if options.seeds:
        users &= _near(snapshot, options.seeds, options.hops)
    if options.category is not None:
        items &= _equals(snapshot.items, "category", options.category)
        users &= _touching(snapshot, items)
    if options.community is not None or options.seeds:
        items &= _touched(snapshot, users)
    return _compact(snapshot, users, items)


def _since(snapshot: GraphSnapshot, since_s: int | None) -> GraphSnapshot:
    if since_s is None:
        return snapshot
    interactions = _rows(snapshot.interactions, snapshot.interactions.columns["occurred_at_s"] >= since_s)
    opens = _rows(snapshot.opens, snapshot.opens.columns["occurred_at_s"] >= since_s)
    kept = snapshot.shares.columns["occurred_at_s"] >= max(since_s, NO_TIME + 1)
    return _with_shares(replace(snapshot, interactions=interactions, opens=opens), kept)


def _equals(nodes: Nodes, key: str, value: str) -> Mask:
    """Return (N,) whether the node's property, as a text, has the value."""
    if key not in nodes.columns:
        return np.zeros(len(nodes), dtype=bool)
    return np.array([str(each) == value for each in nodes.columns[key].tolist()], dtype=bool)


def _near(snapshot: GraphSnapshot, seeds: tuple[str, ...], hops: int) -> Mask:
    """Return (U,) whether a user lies within `hops` steps of a seed, ties taken in both directions."""
    if not 0 <= hops <= MOST_HOPS:
        raise InputError(f"hops is {hops}; it goes from 0 to {MOST_HOPS}")
    reached = np.isin(snapshot.users.ids.astype(str), np.array(seeds, dtype=str))
    if not reached.any():
        raise InputError("none of the seeds is a user of this graph")
    sharer = snapshot.shares.source[snapshot.sends.source]
    source = np.concatenate([snapshot.friends.source, snapshot.follows.source, sharer])
    target = np.concatenate([snapshot.friends.target, snapshot.follows.target, snapshot.sends.target])
    for _ in range(hops):
        step = reached.copy()
        step[target[reached[source]]] = True
        step[source[reached[target]]] = True
        reached = step
    return reached


def _touching(snapshot: GraphSnapshot, items: Mask) -> Mask:
    """Return (U,) whether a user acted on or shared one of the items."""
    users = np.zeros(len(snapshot.users), dtype=bool)
    for edges in (snapshot.interactions, snapshot.shares):
        users[edges.source[items[edges.target]]] = True
    return users


def _touched(snapshot: GraphSnapshot, users: Mask) -> Mask:
    """Return (I,) whether one of the users acted on or shared the item."""
    items = np.zeros(len(snapshot.items), dtype=bool)
    for edges in (snapshot.interactions, snapshot.shares):
        items[edges.target[users[edges.source]]] = True
    return items


def _compact(snapshot: GraphSnapshot, users: Mask, items: Mask) -> GraphSnapshot:
    """Drop nodes and every edge that loses an end; number the rest densely."""
    snapshot = _with_shares(snapshot, users[snapshot.shares.source] & items[snapshot.shares.target])
    user, item = _numbers(users), _numbers(items)
    return replace(
        snapshot,
        users=_nodes(snapshot.users, users),
        items=_nodes(snapshot.items, items),
        interactions=_renumbered(snapshot.interactions, user, item),
        friends=_renumbered(snapshot.friends, user, user),
        follows=_renumbered(snapshot.follows, user, user),
        shares=_renumbered(snapshot.shares, user, item),
        sends=_renumbered(snapshot.sends, None, user),
        opens=_renumbered(snapshot.opens, None, user),
    )


def _with_shares(snapshot: GraphSnapshot, kept: Mask) -> GraphSnapshot:
    """Keep these rows of `shares`, what hangs on them, and parents that are still there."""
    row = _numbers(kept)
    shares = _rows(snapshot.shares, kept)
    parent = shares.columns["parent"]
    known = np.where(parent >= 0, row[parent] if len(row) else -1, -1).astype(np.int32)
    return replace(
        snapshot,
        shares=Edges(shares.source, shares.target, {**shares.columns, "parent": known}),
        share_ids=snapshot.share_ids[kept],
        sends=_renumbered(snapshot.sends, row, None),
        opens=_renumbered(snapshot.opens, row, None),
    )


def _numbers(kept: Mask) -> NDArray[np.int32]:
    """Return (N,) the new index of each kept position, -1 for the others."""
    return np.where(kept, np.cumsum(kept) - 1, -1).astype(np.int32)


def _renumbered(edges: Edges, source: NDArray[np.int32] | None, target: NDArray[np.int32] | None) -> Edges:
    """Return the edges under new indices (None: as they are), those with both ends only."""
    new_source = edges.source if source is None else source[edges.source]
    new_target = edges.target if target is None else target[edges.target]
    return _rows(Edges(new_source, new_target, edges.columns), (new_source >= 0) & (new_target >= 0))


def _rows(edges: Edges, kept: Mask) -> Edges:
    columns: dict[str, NDArray[Any]] = {key: column[kept] for key, column in edges.columns.items()}
    return Edges(edges.source[kept], edges.target[kept], columns)


def _nodes(nodes: Nodes, kept: Mask) -> Nodes:
    return Nodes(nodes.ids[kept], {key: column[kept] for key, column in nodes.columns.items()})
