"""Shares and credits between the graph and whoever counts cascades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graph.connection import Transaction
from graph.credits import Credit, Purchase, credits_of
from graph.settings import Settings
from graph.trees import FORECAST_PROPERTIES, ROOT_PROPERTIES, Tree

DAY_MS: Final = 86_400_000

Row = dict[str, Any]
Recredited = tuple[Row, list[Credit]]
"""A purchase as it was read, and the credits that are due."""


@dataclass(slots=True)
class Node:
    """A share as it is stored and as it will be."""

    share_id: str
    occurred_ms: int | None
    parent_id: str | None
    size: int | None
    """Shares at or below it; None: not counted yet."""
    opens: int
    tree: Tree | None
    """The numbers of its counted tree, where it is the root."""
    was_root: bool
    is_first: bool | None = None
    """Whether it is the one of its user's shares in the cascade that counts for `uniqueUsers`; None: as it was."""


def due_credits(row: Row, nodes: Mapping[str, Node], settings: Settings) -> list[Credit]:
    """Return the credits that are due for a purchase.

    Args:
        row: of `cascades.read_purchases`.
        nodes: the share that it names and all above it, by id.
        settings: `attribution` and `look_back_days`.
    """
    purchase = Purchase(row["eventId"], row["valueMinor"], row["refundedMinor"], row["currency"], row["occurredMs"])
    chain: list[tuple[str, int | None]] = []
    at: str | None = row["shareId"]
    while at is not None:
        chain.append((at, nodes[at].occurred_ms))
        at = nodes[at].parent_id
    return credits_of(purchase, chain, settings.attribution, settings.look_back_days * DAY_MS)


def differs(row: Row, due: Sequence[Credit], model: str) -> bool:
    """Whether the purchase has other credits than those that are due."""
    return sorted((one.share_id, one.amount_minor, model) for one in due) != sorted(map(tuple, row["credits"]))


def properties(node: Node) -> dict[str, Any]:
    """Return what a share carries besides a root's numbers; None takes a property away."""
    kept: dict[str, Any] = {"subtreeSize": node.size, "ownOpens": node.opens or None}
    if node.is_first is not None:
        kept["isFirst"] = node.is_first or None
    if node.was_root and node.tree is None:
        kept |= dict.fromkeys((*ROOT_PROPERTIES, *FORECAST_PROPERTIES))
    return kept


def write(tx: Transaction, nodes: Sequence[Node], roots: set[str], changes: Sequence[Recredited], model: str) -> None:
    """Write shares, the numbers of cascades and credits.

    Args:
        tx: the transaction, which holds the lock of `cascades.lock`.
        nodes: shares that have changed, in the order of their ids, in which every writer locks them.
        roots: those of them whose cascades have other numbers.
        changes: purchases whose credits change.
        model: the credits' model.
    """
    if nodes:
        tx.run("cascades.write_shares", rows=[[node.share_id, properties(node)] for node in nodes])
    trees = [(node.share_id, node.tree) for node in nodes if node.tree is not None and node.share_id in roots]
    if trees:
        rows = [[share_id, tree.properties(), tree.last_ms] for share_id, tree in trees]
        tx.run("cascades.write_roots", rows=rows)
    if changes:
        tx.run("cascades.lock_users", ids=sorted({row["userId"] for row, _ in changes}))
    if dropped := sorted([row["userId"], row["eventId"]] for row, _ in changes if row["credits"]):
        tx.run("cascades.drop_credits", rows=dropped)
    if given := sorted(_credit_row(row, one, model) for row, due in changes for one in due):
        tx.run("cascades.write_credits", rows=given)


def _credit_row(row: Row, one: Credit, model: str) -> list[Any]:
    ends = [one.share_id, row["userId"], f"{row['eventId']}:{one.share_id}:{model}", row["eventId"]]
    return [*ends, one.amount_minor, row["currency"], model, row["occurredMs"]]
