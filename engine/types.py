"""Frozen dataclasses that cross packages. Numpy only; torch is imported inside `to_hetero_data` alone.

Conventions: users are 0..U-1 and items 0..I-1 (dense indices, int32 in arrays); times are whole seconds since
1970-01-01 UTC (int64), `NO_TIME` where unknown; a missing number is nan, a missing text is "".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData

NO_TIME = -1
"""A time that is not known; it never counts as recent."""

INTERACTION_TYPES = (
    "VIEWED",
    "LIKED",
    "COMMENTED",
    "SAVED",
    "ADDED_TO_CART",
    "PURCHASED",
    "RATED",
    "HIDDEN",
)
"""Relationship types between a user and an item; `Edges.columns["type"]` holds positions in this tuple."""

REASONS = (
    "taste",  # close in the GraphSAGE embedding
    "similarItems",  # item-item model: near items that the user acted on
    "friends",  # friends acted on it
    "popular",  # popular overall
    "attributes",  # matches by category, brand, price or text (cold start)
    "recentSimilar",  # near one of the user's last interactions (live)
    "friendShared",  # a consenting friend shared it within the last day (live)
    "peers",  # taken more often by users of the same attributes
    "trending",  # taken more often lately
)
"""Reason codes; `RankedLists.reasons` holds positions in this tuple."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """A column-wise table of nodes."""

    ids: NDArray[np.object_]
    """(N,) external ids as str, unique, ascending."""
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Each (N,): float64, int64, bool or object (str)."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Edges:
    """A column-wise table of edges between dense indices."""

    source: NDArray[np.int32]
    """(E,) index of the start node (or row of `shares`, where said)."""
    target: NDArray[np.int32]
    """(E,) index of the end node."""
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Each (E,)."""

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True, slots=True)
class GraphSnapshot:
    """An immutable column-wise export of the consented graph.

    `users.columns` and `items.columns` hold every exported attribute under its property key (`category`, `brand`,
    `priceMinor`, `rating`, `title`, `kind`, `createdAt` ...), whatever the shop has.
    """

    snapshot_id: str
    watermark_s: int
    """Rows with `ingestedAt` up to this second are in."""
    users: Nodes
    items: Nodes
    interactions: Edges
    """user -> item; columns `type` int8 (INTERACTION_TYPES), `occurred_at_s` int64 (VIEWED: lastAt), `count` uint16
    (views folded, at most 65,535; else 1), `rating` float32 (nan unless RATED)."""
    friends: Edges
    """user - user, each friendship once (smaller external id first); columns `strength` float32, `since_s` int64."""
    follows: Edges
    """user -> user; columns `since_s` int64."""
    shares: Edges
    """user -> item, one row per :Share; columns `occurred_at_s` int64, `parent` int32 (row of `shares`, -1 for a
    root), `depth` int32, `channel` text ("" where none is known; old folders lack the column)."""
    sends: Edges
    """row of `shares` -> recipient user; no columns."""
    opens: Edges
    """row of `shares` -> user who opened it; columns `occurred_at_s` int64."""
    share_ids: NDArray[np.object_]
    """(S,) shareId of each row of `shares`."""

    def to_hetero_data(self) -> HeteroData:
        """Return the snapshot as PyG's HeteroData (node types `user`, `item`, `share`).

        Raises:
            ImportError: torch or torch-geometric is not installed (extra `train`).
        """
        import torch
        from torch_geometric.data import HeteroData

        data = HeteroData()
        data["user"].num_nodes = len(self.users)
        data["item"].num_nodes = len(self.items)
        data["share"].num_nodes = len(self.shares)
        share_row = np.arange(len(self.shares), dtype=np.int64)

        def put(key: tuple[str, str, str], source: NDArray[Any], target: NDArray[Any], edges: Edges) -> None:
            pair = np.stack([source.astype(np.int64), target.astype(np.int64)])
            data[key].edge_index = torch.from_numpy(pair)
            for name, column in edges.columns.items():
                if column.dtype != object and column.dtype.kind in "biuf":
                    data[key][name] = torch.from_numpy(np.ascontiguousarray(column))

        for code, name in enumerate(INTERACTION_TYPES):
            chosen = self.interactions.columns["type"] == code
            if chosen.any():
                part = Edges(
                    self.interactions.source[chosen],
                    self.interactions.target[chosen],
                    {k: v[chosen] for k, v in self.interactions.columns.items() if k != "type"},
                )
                put(("user", name.lower(), "item"), part.source, part.target, part)
        put(("user", "friend", "user"), self.friends.source, self.friends.target, self.friends)
        put(("user", "follows", "user"), self.follows.source, self.follows.target, self.follows)
        put(("user", "shared", "share"), self.shares.source, share_row, Edges(self.shares.source, self.shares.source))
        put(("share", "of_item", "item"), share_row, self.shares.target, self.shares)
        put(("share", "sent_to", "user"), self.sends.source, self.sends.target, self.sends)
        put(("user", "opened", "share"), self.opens.target, self.opens.source, self.opens)
        return data


@dataclass(frozen=True, slots=True)
class EdgeProbabilities:
    """P(u->v) along directed user pairs, and how sure it is where that is known."""

    source: NDArray[np.int32]
    """(E,) user u."""
    target: NDArray[np.int32]
    """(E,) user v."""
    probability: NDArray[np.float32]
    """(E,) in [0, 1]."""
    nodes: int
    """Number of users U."""
    count: NDArray[np.float32] | None = None
    """(E,) trials that P is worth, its prior's included: the posterior is about Beta(p count, (1 - p) count), and a
    trial that succeeds moves P to (p count + 1) / (count + 1). None: not known."""


@dataclass(frozen=True, slots=True)
class ItemSpread:
    """What an item and a channel add to the log-odds of P(u->v): z_v . y_i + b_i + b_c; U users, I items, D factors."""

    user: NDArray[np.float32]
    """(U, D) z of who receives."""
    item: NDArray[np.float32]
    """(I, D) y"""
    bias: NDArray[np.float32]
    """(I,) b"""
    channels: Mapping[str, float] = field(default_factory=dict)
    """b_c of each channel, 0 for the mean share; of others nothing is known, they add nothing."""

    def taste(self, items: NDArray[np.integer]) -> NDArray[np.float32]:
        """Return z_v . y_i of each receiver, the mean over these items, (U,); 0 for no item."""
        if not len(items):
            return np.zeros(len(self.user), np.float32)
        return self.user @ self.item[items].mean(axis=0)

    def log_odds(self, items: NDArray[np.integer], channel: str | None = None) -> NDArray[np.float32]:
        """Return what these items, the mean over them, and the channel add for each receiver, (U,); 0 for neither."""
        everybody = self.bias[items].mean() if len(items) else 0.0
        return self.taste(items) + np.float32(everybody + self.in_channel(channel))

    def in_channel(self, channel: str | None) -> float:
        """Return what a channel adds; 0 for none."""
        return self.channels.get(channel or "", 0.0)


@dataclass(frozen=True, slots=True)
class EmbeddingTable:
    """Vectors of nodes."""

    vectors: NDArray[np.float32]
    """(N, D), rows of unit length unless a node has no signal at all (zeros)."""


@dataclass(frozen=True, slots=True)
class SeedSet:
    """Users a campaign starts with, and what is certain of them."""

    users: NDArray[np.int32]
    """(k,) in the order chosen."""
    marginal: NDArray[np.float64]
    """(k,) spread that each added to those before; estimates on the sets that they were chosen on, a little high."""
    spread: float
    """Expected users reached, seeds included; not flattered by the choice."""
    spread_low: float
    spread_high: float
    best_high: float
    """No seed set within the limits has a larger spread. This and the interval hold together with 1 - `failure`."""
    failure: float
    sets: int
    """RR sets of more than one node behind it, those it was judged by included."""

    @property
    def guarantee(self) -> float:
        """Share of the best possible spread that the seeds reach at least."""
        return self.spread_low / self.best_high if self.best_high > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A ranked item with its score and the codes of its reasons."""

    rank: int
    item_id: str
    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RankedLists:
    """For each of N nodes its best K targets, best first."""

    target: NDArray[np.int32]
    """(N, K) dense index of the target, -1 where the list is shorter."""
    score: NDArray[np.float32]
    """(N, K); 0 where the list is shorter."""
    reasons: NDArray[np.uint8] | None = None
    """(N, K, 2) positions in REASONS of the two largest parts of the score, 255 for none; None where not used."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """What publication needs of a trained model; read from a model folder by `engine.artifact.read_artifact`."""

    model_version: str
    snapshot_id: str
    trained_at_s: int
    code_version: str
    user_ids: NDArray[np.object_]
    """(U,)"""
    item_ids: NDArray[np.object_]
    """(I,)"""
    user_embedding: NDArray[np.float32]
    """(U, D) unit rows."""
    item_embedding: NDArray[np.float32]
    """(I, D) unit rows."""
    influence_score: NDArray[np.float32]
    """(U,) expected users reached, sigma({u}) >= 1."""
    influence_percentile: NDArray[np.float32]
    """(U,) in [0, 100]."""
    influence_error: NDArray[np.float32]
    """(U,) standard error of the score, >= 0."""
    recommended: RankedLists
    """(U, <= 200) items per user."""
    similar: RankedLists
    """(I, <= 20) items per item."""
    influences: RankedLists
    """(U, <= 20) users v by P(u->v)."""
    metrics: Mapping[str, Any]
    """JSON-able: evaluation on the held-out cut, timings, settings, model card."""
