"""The numbers of cascades, kept up while shares come in: what changed is noted by its writer and counted by one other.

Whoever writes events leaves a `:KithTouch` with the shares and purchases whose cascades have changed, in the same
transaction; it never writes to a cascade's root, so that a viral cascade's writers do not wait for each other. `count`
takes those notes and brings the numbers up to date, one process at a time. A share is counted when it has a
`subtreeSize`; a counted share that has a `cascadeSize` is the root of its counted tree, and joins its parent's when the
link to the parent is seen. So the work for a share is the way up to its root, and a note that is taken twice, or late,
changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from graph.cascade_rows import Node, Recredited, Row, differs, due_credits, write
from graph.connection import Graph, Transaction
from graph.settings import Settings
from graph.trees import Tree

MOST_TOUCHES: Final = 1_000
MOST_SHARES: Final = 2_000
"""Notes, and shares in them, that one transaction counts."""


def count(graph: Graph, settings: Settings) -> int:
    """Count some of what has changed, and return how many notes that were; 0: all numbers are exact.

    Args:
        graph: where.
        settings: `attribution` and `look_back_days` decide who is credited with a purchase.

    Raises:
        UnavailableError: Neo4j does not answer; nothing is lost, the notes stay.
    """
    return graph.transaction(lambda tx: Counting(tx, settings).run())


class Counting:
    """One transaction of `count`."""

    def __init__(self, tx: Transaction, settings: Settings) -> None:
        self._tx = tx
        self._settings = settings
        self._nodes: dict[str, Node] = {}
        self._changed: set[str] = set()
        self._grown: set[str] = set()
        """Roots whose numbers have changed."""

    def run(self) -> int:
        """Count what some notes name; return how many notes."""
        self._tx.run("cascades.lock")
        touches = self._take()
        if not touches:
            return 0
        last: dict[str, int] = {}
        for touch in touches:
            for share_id, ms in zip(touch["shareIds"], touch["lastMs"], strict=True):
                last[share_id] = max(ms, last.get(share_id, -1))
        self._load(last)
        purchases = self._purchases({one for touch in touches for one in touch["purchaseIds"]})
        joining = [node for node in self._nodes.values() if node.parent_id and (node.tree or node.size is None)]
        if moved := sorted(node.share_id for node in joining if node.tree):  # another chain, so perhaps other credits
            below = self._tx.run("cascades.read_purchases_below", ids=moved)[0]["purchaseIds"]
            purchases |= self._purchases(set(below) - purchases.keys())
        fresh = [node for node in self._nodes.values() if node.size is None]
        if new := sorted(node.share_id for node in fresh):  # purchases that came before, also those that wait no longer
            naming = self._tx.run("cascades.read_purchases_of", ids=new)[0]["purchaseIds"]
            purchases |= self._purchases(set(naming) - purchases.keys())
        first = self._first_below([node for node in joining if node.tree]) + self._enter(fresh)
        for node in {id(one): one for one in [*joining, *(one for one in fresh if one.parent_id)]}.values():
            self._join(node)
        self._count_opens({*last, *(node.share_id for node in fresh)} & self._nodes.keys())
        for share_id, ms in last.items():
            if share_id in self._nodes and ms >= 0:
                self._root(share_id).seen(ms)
        self._settle_first(first)
        self._write(self._credit(purchases))
        return len(touches)

    def _take(self) -> list[Row]:
        touches: list[Row] = []
        shares = 0
        for touch in self._tx.run("cascades.touches", limit=MOST_TOUCHES):
            shares += len(touch["shareIds"]) + len(touch["purchaseIds"])
            if touches and shares > MOST_SHARES:
                break
            touches.append(touch)
        if touches:
            self._tx.run("cascades.drop_touches", touches=[touch["touch"] for touch in touches])
        return touches

    def _load(self, share_ids: Iterable[str]) -> None:
        """Read shares and all above them."""
        ids = sorted(set(share_ids) - self._nodes.keys())
        for row in self._tx.run("cascades.read_ancestors", ids=ids) if ids else []:
            tree = row["tree"]
            self._nodes.setdefault(
                row["shareId"],
                Node(
                    row["shareId"],
                    row["occurredMs"],
                    row["parentId"],
                    row["subtreeSize"],
                    row["ownOpens"] or 0,
                    Tree.of(tree, tree["lastMs"]) if tree else None,
                    was_root=tree is not None,
                ),
            )

    def _purchases(self, event_ids: set[str]) -> dict[str, Row]:
        rows = self._tx.run("cascades.read_purchases", ids=sorted(event_ids)) if event_ids else []
        self._load(row["shareId"] for row in rows)
        return {row["eventId"]: row for row in rows if row["shareId"] in self._nodes}

    def _enter(self, fresh: list[Node]) -> list[tuple[str, str]]:
        """Count new shares as trees of their own; return them with their users."""
        ids = sorted(node.share_id for node in fresh)
        rows = self._tx.run("cascades.read_sharers", ids=ids) if ids else []
        users: dict[str, str] = {row["shareId"]: row["userId"] for row in rows}
        for node in fresh:
            node.size, node.tree = 1, Tree(users=int(node.share_id in users))
            node.tree.shared(node.occurred_ms)
            node.is_first = node.share_id in users
            self._changed.add(node.share_id)
            self._grown.add(node.share_id)
        return list(users.items())

    def _first_below(self, joining: list[Node]) -> list[tuple[str, str]]:
        """Return the shares that count for their users in trees that become part of others."""
        ids = sorted(node.share_id for node in joining)
        rows = self._tx.run("cascades.read_first_below", ids=ids) if ids else []
        return [(row["shareId"], row["userId"]) for row in rows]

    def _way_up(self, node: Node) -> list[Node]:
        """Return the counted shares from `node` to its root, both included."""
        way = [node]
        while way[-1].tree is None:
            way.append(self._nodes[way[-1].parent_id or ""])
        return way

    def _root(self, share_id: str) -> Tree:
        """Return the numbers of the counted tree of a share, to be changed."""
        root = self._way_up(self._nodes[share_id])[-1]
        self._grown.add(root.share_id)
        assert root.tree is not None  # noqa: S101  the way up ends at a tree
        return root.tree

    def _join(self, child: Node) -> None:
        """Make the tree of `child` part of its parent's."""
        joined, size = child.tree, child.size or 0
        way = self._way_up(self._nodes[child.parent_id or ""])
        if joined is None or way[-1] is child:  # joined already, or a circle, which no writer leaves
            return
        self._root(way[-1].share_id).join(joined, len(way), [node.size or 0 for node in way[:-1]])
        child.tree = None
        for node in way:
            node.size = (node.size or 0) + size
        self._changed.update(node.share_id for node in (child, *way))

    def _count_opens(self, share_ids: set[str]) -> None:
        for row in self._tx.run("cascades.read_opens", ids=sorted(share_ids)):
            node = self._nodes[row["shareId"]]
            if row["opens"] != node.opens:
                self._root(node.share_id).opens += row["opens"] - node.opens
                node.opens = row["opens"]
                self._changed.add(node.share_id)

    def _settle_first(self, candidates: list[tuple[str, str]]) -> None:
        """Have one share per user and cascade count for the user."""
        self._load(share_id for share_id, _ in candidates)
        groups: dict[tuple[str, str], set[str]] = defaultdict(set)
        for share_id, user_id in candidates:  # trees that join together are named by each of their roots
            groups[user_id, self._way_up(self._nodes[share_id])[-1].share_id].add(share_id)
        asked = [key for key, rivals in groups.items() if rivals != {key[1]}]
        for row in self._tx.run("cascades.read_first", rows=sorted(map(list, asked))) if asked else []:
            groups[row["userId"], row["rootShareId"]].update(row["shareIds"])
        self._load(share_id for rivals in groups.values() for share_id in rivals)
        for rivals in groups.values():
            for share_id in rivals - {min(rivals)}:
                self._nodes[share_id].is_first = False
                self._changed.add(share_id)
                self._root(share_id).users -= 1

    def _credit(self, purchases: dict[str, Row]) -> list[Recredited]:
        """Add what changes to the revenue; return the purchases whose credits change."""
        changes: list[Recredited] = []
        for row in purchases.values():
            self._root(row["shareId"]).seen(row["occurredMs"])
            due = due_credits(row, self._nodes, self._settings)
            if not differs(row, due, self._settings.attribution):
                continue
            changes.append((row, due))
            self._changed.update(one.share_id for one in due)
            tree = self._root(row["shareId"])
            tree.conversions += bool(due) - bool(row["credits"])
            before, after = sum(each[1] for each in row["credits"]), sum(one.amount_minor for one in due)
            tree.earn(row["currency"], after - before)
        return changes

    def _write(self, changes: list[Recredited]) -> None:
        nodes = [self._nodes[share_id] for share_id in sorted(self._changed | self._grown)]
        write(self._tx, nodes, self._grown, changes, self._settings.attribution)
