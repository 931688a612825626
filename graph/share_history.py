"""Who sent what to whom around one question, "whom should this user send this item to", as the graph is now.

One read, bounded whatever the graph holds: the newest shares that the user sent and got, the newest of each partner
(whom the user sent to, who sent to the user, friends), the newest of the item. Everybody in it agrees to `sharing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from graph.connection import Graph, Row
from graph.errors import NotFoundError

MOST_OWN: Final = 500
"""Shares that the user sent, and as many that the user got."""
MOST_PARTNERS: Final = 200
"""Users around the user: those of the newest shares first, then friends, the strongest ties first."""
MOST_OF_PARTNER: Final = 50
"""Shares that one partner sent, and as many that this partner got."""
MOST_OF_ITEM: Final = 200
MOST_RECIPIENTS: Final = 100
"""Recipients of one share that are read."""
MOST_OPENERS: Final = 1_000
"""Of one share; a recipient beyond them counts as not having opened it."""
MOST_FRIENDS: Final = 500
MOST_EVENTS: Final = 10_000
MOST_LOOKED_AT: Final = 10_000
"""Shares of the user, or of the item, among which the newest are looked for: those of the latest transactions."""
MOST_LOOKED_AT_EACH: Final = 1_000
"""The same for one partner."""

LIMITS: Final = {
    "most_own": MOST_OWN,
    "most_partners": MOST_PARTNERS,
    "most_of_partner": MOST_OF_PARTNER,
    "most_of_item": MOST_OF_ITEM,
    "most_recipients": MOST_RECIPIENTS,
    "most_openers": MOST_OPENERS,
    "most_friends": MOST_FRIENDS,
    "most_events": MOST_EVENTS,
    "most_looked_at": MOST_LOOKED_AT,
    "most_looked_at_each": MOST_LOOKED_AT_EACH,
}


@dataclass(frozen=True, slots=True)
class ShareHistory:
    """E share events, newest first, and the people around the user. An event is one share with one recipient."""

    sender: NDArray[np.object_]
    """(E,) user ids."""
    item: NDArray[np.object_]
    """(E,) item ids."""
    recipient: NDArray[np.object_]
    """(E,) user ids."""
    at_s: NDArray[np.float64]
    """(E,) seconds since 1970 UTC; NaN where the share has no time (these stand last)."""
    opened: NDArray[np.bool_]
    """(E,) whether the recipient opened the share."""
    partners: tuple[str, ...]
    """User ids, at most `MOST_PARTNERS`: those of the newest shares first."""
    friends: dict[str, float]
    """Strength of the user's tie to each friend, > 0, strongest first."""

    def __len__(self) -> int:
        return len(self.sender)


def read(graph: Graph, user_id: str, item_id: str) -> ShareHistory:
    """Return the history around a user and an item; empty where the user does not agree to `sharing`.

    Raises:
        NotFoundError: there is no such user or item.
        UnavailableError: Neo4j does not answer.
    """
    rows = graph.read("sharing.history", user_id=user_id, item_id=item_id, **LIMITS)
    if not rows:
        require(graph, user_id, item_id)
        return of_row({})
    return of_row(rows[0])


def of_row(row: Row) -> ShareHistory:
    """Return the history that a row of `sharing.history` holds."""
    shares = sorted(row.get("shares", ()), key=itemgetter(2), reverse=True)
    counts = np.array([len(recipients) for *_, recipients, _ in shares], dtype=np.int64)
    at_s = np.repeat(np.array([at for _, _, at, *_ in shares], dtype=np.float64), counts)
    return ShareHistory(
        sender=np.repeat(_texts([sender for sender, *_ in shares]), counts),
        item=np.repeat(_texts([item for _, item, *_ in shares]), counts),
        recipient=_texts([user for *_, recipients, _ in shares for user in recipients]),
        at_s=np.where(at_s < 0, np.nan, at_s),
        opened=np.array([each for *_, opened in shares for each in opened], dtype=bool),
        partners=tuple(row.get("partners", ())),
        friends=dict(row.get("friends", ())),
    )


def require(graph: Graph, user_id: str, item_id: str) -> None:
    """Check that both are there.

    Raises:
        NotFoundError: one of them is not.
    """
    if not graph.read("queries.user_exists", user_id=user_id):
        raise NotFoundError(f"no user {user_id}")
    if not graph.read("queries.item_exists", item_id=item_id):
        raise NotFoundError(f"no item {item_id}")


def _texts(values: Sequence[str]) -> NDArray[np.object_]:
    return np.array(values, dtype=object)
