"""The consented graph as columns, cut at one point in time: graph -> GraphSnapshot.

Neo4j reads committed data and has no snapshots. What has `ingestedAt` (the first one, `firstIngestedAt`, where a row
was written again) up to the watermark, five seconds ago by the server's clock, is in; so additions are cut at one
point. Deletions and changed properties may skew by the export's duration, which `snapshot_id` records.

Consent: a user is in it only with `personalisation`; friendships, follows, shares, sends and opens only where every
user on them also agrees to `sharing`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact import identify
from engine.types import INTERACTION_TYPES, Edges, GraphSnapshot, Nodes
from graph.column_reads import RANGE_NODES, Columns, Cut, node_columns, vectors
from graph.connection import Graph
from graph.settings import Settings
from graph.subgraph import SubgraphOptions, restrict

__all__ = ["SubgraphOptions", "export", "interaction_columns", "prepare", "settle"]

WATERMARK_LAG_S = 5
"""Longer than a write takes from its time stamp to its commit."""
SETTLE_POLL_S = 0.25
NOTED = 1_000
"""So many snapshots the graph remembers that it gave."""
MOST_VIEWS = 65_535
"""More views of one item by one user count as so many: two bytes an edge."""
NUMBERING_TIMEOUT_S = 3600.0
TYPE_CODES = {name: code for code, name in enumerate(INTERACTION_TYPES)}
USER_READS, SHARE_READS = 6, 3
"""Queries per range of users (their row, three interactions, two ties) and of shares."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class _Side:
    """Nodes of one label in the cut: where an `ix` lies in the dense order of external ids."""

    nodes: Nodes
    index: NDArray[np.int32]
    """(largest ix + 1,) dense index, -1 for what is not in the cut."""
    sharing: NDArray[np.bool_]
    """(N,) whether the user agrees to `sharing`."""


def export(
    graph: Graph, settings: Settings, options: SubgraphOptions | None = None, progress: Progress | None = None
) -> GraphSnapshot:
    """Read the graph, column by column, and return the part that the options name; the graph notes that it gave it.

    Args:
        graph: the connection; two read sessions are used side by side.
        settings: this process's settings (kept for callers; nothing of it changes what is read).
        options: a part of the graph; everything by default.
        progress: told a fraction in [0, 1] and what is being read; what it raises stops the export.

    Raises:
        UnavailableError: Neo4j went away or did not answer in time.
        InputError: the options make no sense.
    """
    options = options or SubgraphOptions()
    options.since_s()
    started = time.monotonic()
    cut = prepare(graph, progress)
    users = _side(*node_columns(cut, "user"), cut.users)
    items = _side(*node_columns(cut, "item"), cut.items)
    shares, sends, opens, share_ids = _shares(cut, users, items)
    whole = GraphSnapshot(
        snapshot_id="",
        watermark_s=cut.watermark_s,
        users=users.nodes,
        items=items.nodes,
        interactions=_interactions(cut, users, items),
        friends=_ties(vectors(cut, "friends", cut.users), users, directed=False),
        follows=_ties(vectors(cut, "follows", cut.users), users, directed=True),
        shares=shares,
        sends=sends,
        opens=opens,
        share_ids=share_ids,
    )
    duration_ms = int((time.monotonic() - started) * 1000)
    part = restrict(whole, options)
    snapshot_id = f"{identify(part)}-d{duration_ms}"
    graph.write_many([("snapshot.note", {"snapshot_id": snapshot_id}), ("snapshot.forget", {"kept": NOTED})])
    return replace(part, snapshot_id=snapshot_id)


def settle(graph: Graph, check: Callable[[], None] | None = None) -> None:
    """Wait, about six seconds, until all that was acknowledged before this call lies below the watermark.

    Without it an export right after an import would miss the import's last seconds.

    Args:
        graph: the connection.
        check: called between looks at the clock; what it raises ends the wait.

    Raises:
        UnavailableError: Neo4j went away.
    """
    begun_s = _watermark_s(graph, 0) + 1
    while _watermark_s(graph, WATERMARK_LAG_S) < begun_s:
        if check is not None:
            check()
        time.sleep(SETTLE_POLL_S)


def _watermark_s(graph: Graph, lag_s: int) -> int:
    return graph.read("snapshot.watermark", lag_s=lag_s)[0]["watermarkS"]


def prepare(graph: Graph, progress: Progress | None = None) -> Cut:
    """Take the watermark, then give every node that has none its dense index: what is in the cut can be read."""
    watermark_s = _watermark_s(graph, WATERMARK_LAG_S)
    for label in ("users", "items", "shares"):
        graph.auto(f"snapshot.number_{label}", timeout_s=NUMBERING_TIMEOUT_S)
    bounds: dict[str, int] = graph.read("snapshot.bounds", timeout_s=NUMBERING_TIMEOUT_S)[0]
    ranges = {label: -(-bound // RANGE_NODES) for label, bound in bounds.items()}
    total = max(ranges["users"] * USER_READS + ranges["items"] + ranges["shares"] * SHARE_READS, 1)
    done = itertools.count(1)

    def tell() -> None:
        if progress is not None:
            progress(min(next(done) / total, 1.0), "reading the graph")

    return Cut(graph, watermark_s, **bounds, tell=tell)


def interaction_columns(cut: Cut, name: str) -> Columns:
    """Return what users did, as read: `source target` (`ix`), `at` and what else the query gives; {} for nothing.

    Args:
        cut: what to read.
        name: `interactions`, `views` or `ratings`.
    """
    codes = {"codes": TYPE_CODES} if name == "interactions" else {}
    return vectors(cut, name, cut.users, **codes)


def _side(heads: Columns, attributes: Columns, bound: int) -> _Side:
    order = np.argsort(heads["ids"].astype(str), kind="stable") if len(heads["ids"]) else np.empty(0, dtype=np.int64)
    index = np.full(bound, -1, dtype=np.int32)
    index[heads["ix"][order]] = np.arange(len(order), dtype=np.int32)
    columns = {key: column[order] for key, column in attributes.items()}
    return _Side(Nodes(heads["ids"][order], columns), index, heads["sharing"][order])


def _interactions(cut: Cut, users: _Side, items: _Side) -> Edges:
    parts: dict[str, list[NDArray[Any]]] = {
        key: [] for key in ("source", "target", "type", "occurred_at_s", "count", "rating")
    }
    for name, code in (("interactions", None), ("views", "VIEWED"), ("ratings", "RATED")):
        read = interaction_columns(cut, name)
        if not read:
            continue
        size = len(read["source"])
        parts["source"].append(users.index[read["source"]])
        parts["target"].append(_known(items.index, read["target"]))
        parts["type"].append(read["type"] if code is None else np.full(size, TYPE_CODES[code], dtype=np.int8))
        parts["occurred_at_s"].append(read["at"])
        count = read.get("count", np.ones(size, dtype=np.int32))
        parts["count"].append(np.minimum(count, MOST_VIEWS).astype(np.uint16))
        rating = read.get("rating", np.full(size, -1, dtype=np.float32))
        parts["rating"].append(np.where(rating < 0, np.float32(np.nan), rating))
    dtypes = {"type": np.int8, "occurred_at_s": np.int64, "count": np.uint16, "rating": np.float32}
    joined = {key: _joined(blocks, dtypes.get(key, np.int32)) for key, blocks in parts.items()}
    source, target = joined.pop("source"), joined.pop("target")
    return _sorted(source, target, joined, ("occurred_at_s", "type"))


def _ties(read: Columns, users: _Side, *, directed: bool) -> Edges:
    """Return ties between users who both agree to sharing; an undirected one once, smaller id first."""
    source = _sharing(users, read.get("source", np.empty(0, dtype=np.int32)))
    target = _sharing(users, read.get("target", np.empty(0, dtype=np.int32)))
    columns: dict[str, NDArray[Any]] = {"since_s": _joined([read["at"]] if read else [], np.int64)}
    if not directed:
        columns["strength"] = _joined([read["strength"]] if read else [], np.float32)
        source, target = np.minimum(source, target), np.maximum(source, target)
    return _sorted(source, target, columns, ())


def _shares(cut: Cut, users: _Side, items: _Side) -> tuple[Edges, Edges, Edges, NDArray[np.object_]]:
    """Return shares (rows by shareId), sends, opens and the shareIds."""
    read = vectors(cut, "shares", cut.shares)
    none = np.empty(0, dtype=np.int32)
    source = _sharing(users, read.get("source", none))
    target = _known(items.index, read.get("target", none))
    kept = np.flatnonzero((source >= 0) & (target >= 0))
    ids = read.get("ids", np.empty(0, dtype=object))
    if len(kept):
        kept = kept[np.argsort(ids[kept].astype(str), kind="stable")]
    row = np.full(cut.shares, -1, dtype=np.int32)
    row[read.get("share", none)[kept]] = np.arange(len(kept), dtype=np.int32)
    columns = {
        "occurred_at_s": _joined([read["at"]] if read else [], np.int64)[kept],
        "parent": _known(row, read.get("parent", none))[kept],
        "depth": _joined([read["depth"]] if read else [], np.int32)[kept],
        "channel": _few(read.get("channel", np.empty(0, dtype=object)))[kept],
    }
    shares = Edges(source[kept], target[kept], columns)
    hanging: list[Edges] = []
    for name in ("sends", "opens"):
        found = vectors(cut, name, cut.shares)
        times = {"occurred_at_s": _joined([found["at"]] if found else [], np.int64)} if name == "opens" else {}
        start, end = _known(row, found.get("source", none)), _sharing(users, found.get("target", none))
        hanging.append(_sorted(start, end, times, tuple(times)))
    return shares, hanging[0], hanging[1], ids[kept]


def _few(texts: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return the same texts, each kept once."""
    names, code = np.unique(texts.astype(str), return_inverse=True)
    return names.astype(object)[code]


def _known(index: NDArray[np.int32], ix: NDArray[Any]) -> NDArray[np.int32]:
    """Return the dense index of each `ix`; -1 for none, for what came later, and for what is not in the cut."""
    inside = (ix >= 0) & (ix < len(index))
    return np.where(inside, index[np.where(inside, ix, 0)] if len(index) else -1, -1).astype(np.int32)


def _sharing(users: _Side, ix: NDArray[Any]) -> NDArray[np.int32]:
    """Return the dense index of each user who agrees to sharing, -1 for the others."""
    dense = _known(users.index, ix)
    agrees = users.sharing[np.maximum(dense, 0)] if len(users.sharing) else np.zeros(len(dense), dtype=bool)
    return np.where(agrees, dense, -1).astype(np.int32)


def _joined(blocks: list[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype=dtype), *blocks]).astype(dtype, copy=False)


def _sorted(source: NDArray[Any], target: NDArray[Any], columns: Columns, then_by: tuple[str, ...]) -> Edges:
    """Return the edges that have both ends, ordered by source, target and `then_by`: the same cut, the same bytes."""
    kept = np.flatnonzero((source >= 0) & (target >= 0))
    keys = [columns[name][kept] for name in reversed(then_by)]
    order = kept[np.lexsort((*keys, target[kept], source[kept]))]
    return Edges(
        source[order].astype(np.int32),
        target[order].astype(np.int32),
        {key: column[order] for key, column in columns.items()},
    )
