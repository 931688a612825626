"""All cascades anew, from shares and links alone: says what was stored otherwise, and puts it right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from graph import cascades
from graph.cascade_rows import Node, Recredited, Row, differs, due_credits, properties, write
from graph.connection import Graph, Transaction
from graph.settings import Settings
from graph.trees import Places, Tree, places

ROOTS_AT_ONCE: Final = 500
KEPT_DIFFERENCES: Final = 100
"""So many are told in full; all are put right."""
TIMEOUT_S: Final = 600.0
CLOSE: Final = 1e-6
"""Sums of floats differ by less when they are added in another order."""


@dataclass(slots=True)
class Repair:
    """What a full count found."""

    cascades: int = 0
    shares: int = 0
    differences: int = 0
    told: list[dict[str, Any]] = field(default_factory=list)
    """The first of them: `{shareId, name, stored, right}`."""
    busy: int = 0
    """Cascades that changed meanwhile: they are counted as usual and were not judged."""


def recompute(
    graph: Graph, settings: Settings, report: Callable[[int, int], object] = lambda done, total: None
) -> Repair:
    """Count every cascade from scratch and repair what differs.

    Args:
        graph: where.
        settings: as for `cascades.count`.
        report: told after each step how many roots are done, and of how many.

    Raises:
        UnavailableError: Neo4j does not answer; what was repaired stays.
    """
    while cascades.count(graph, settings):
        pass
    found = Repair()
    total = graph.read("cascades.count_roots", timeout_s=TIMEOUT_S)[0]["roots"]
    after = ""
    while rows := graph.read("cascades.page_roots", after=after, limit=ROOTS_AT_ONCE, timeout_s=TIMEOUT_S):
        ids = [row["shareId"] for row in rows]
        after = ids[-1]
        page = graph.transaction(lambda tx, ids=ids: _Page(tx, settings).run(ids), timeout_s=TIMEOUT_S)
        found.cascades += len(ids)
        found.shares += page.shares
        found.differences += page.differences
        found.told = [*found.told, *page.told][:KEPT_DIFFERENCES]
        found.busy += page.busy
        report(found.cascades, max(total, found.cascades))
    return found


class _Page:
    """Some cascades, in one transaction."""

    def __init__(self, tx: Transaction, settings: Settings) -> None:
        self._tx = tx
        self._settings = settings
        self._found = Repair()

    def run(self, roots: list[str]) -> Repair:
        self._tx.run("cascades.lock")
        rows = self._tx.run("cascades.read_whole", ids=roots)
        purchases = self._tx.run("cascades.read_whole_purchases", ids=roots)
        busy = self._touched()
        whole: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            whole[row["rootId"]].append(row)
        bought_by: dict[str, list[Row]] = defaultdict(list)
        for row in purchases:
            bought_by[row["rootId"]].append(row)
        for root_id, shares in sorted(whole.items()):
            if busy.intersection(row["shareId"] for row in shares) or any(
                row["eventId"] in busy for row in bought_by[root_id]
            ):
                self._found.busy += 1
            else:
                self._judge(root_id, shares, bought_by[root_id])
        return self._found

    def _touched(self) -> set[str]:
        names: set[str] = set()
        for touch in self._tx.run("cascades.touches", limit=None):
            names.update(touch["shareIds"], touch["purchaseIds"])
        return names

    def _judge(self, root_id: str, shares: list[Row], purchases: list[Row]) -> None:
        position = {row["shareId"]: at for at, row in enumerate(shares)}
        where = places(np.array([position.get(row["parentId"], -1) for row in shares], np.int64))
        tree, first = _tree(shares, where)
        nodes = {
            row["shareId"]: Node(
                row["shareId"], row["occurredMs"], row["parentId"], int(where.below[at]), row["opens"],
                tree if row["shareId"] == root_id else None, was_root=row["stored"].get("cascadeSize") is not None,
                is_first=row["shareId"] in first,
            )
            for at, row in enumerate(shares)
        }  # fmt: skip
        changes = self._credits(tree, nodes, purchases)
        wrong: list[Node] = []
        for at, row in enumerate(shares):
            node = nodes[row["shareId"]]
            right = properties(node) | {"rootShareId": root_id, "depth": int(where.depth[at])}
            if node.tree is not None:
                right |= node.tree.properties() | {"lastMs": node.tree.last_ms}
            if self._differs(row, right):
                wrong.append(node)
        for row, due in changes:
            self._tell(row["shareId"], "CONVERTED", row["credits"], [[one.share_id, one.amount_minor] for one in due])
        self._found.shares += len(shares)
        if wrong:
            moved = [[node.share_id, root_id, int(where.depth[position[node.share_id]])] for node in wrong]
            self._tx.run("cascades.write_places", rows=sorted(moved))
        if wrong or changes:
            write(self._tx, sorted(wrong, key=lambda one: one.share_id), {root_id}, changes, self._settings.attribution)

    def _credits(self, tree: Tree, nodes: dict[str, Node], purchases: list[Row]) -> list[Recredited]:
        """Add purchases to the tree; return those whose credits differ."""
        changes: list[Recredited] = []
        for row in purchases:
            due = due_credits(row, nodes, self._settings)
            tree.seen(row["occurredMs"])
            tree.conversions += bool(due)
            tree.earn(row["currency"], sum(one.amount_minor for one in due))
            if differs(row, due, self._settings.attribution):
                changes.append((row, due))
        return changes

    def _differs(self, row: Row, right: dict[str, Any]) -> bool:
        wrong = False
        for name, value in right.items():
            stored = row["stored"].get(name)
            if isinstance(value, float) and isinstance(stored, float):
                same = abs(value - stored) <= CLOSE
            else:
                same = stored == value
            if not same:
                self._tell(row["shareId"], name, stored, value)
                wrong = True
        return wrong

    def _tell(self, share_id: str, name: str, stored: Any, right: Any) -> None:
        self._found.differences += 1
        if len(self._found.told) < KEPT_DIFFERENCES:
            self._found.told.append({"shareId": share_id, "name": name, "stored": stored, "right": right})


def _tree(shares: Sequence[Row], where: Places) -> tuple[Tree, set[str]]:
    """Return the numbers of one cascade without its purchases, and the shares that count for their users."""
    first: dict[str, str] = {}
    for row in shares:
        if row["userId"] is not None:
            first[row["userId"]] = min(row["shareId"], first.get(row["userId"], row["shareId"]))
    below = where.below[where.depth > 0]
    tree = Tree(
        np.bincount(where.depth).tolist(),
        int(where.depth.sum()),
        int((below * below).sum()),
        users=len(first),
        opens=sum(row["opens"] for row in shares),
    )
    for row in shares:
        tree.shared(row["occurredMs"])
        tree.seen(row["lastOpenMs"])
    return tree, set(first.values())
