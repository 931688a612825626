"""To whom a user may send an item: consent, blocks, who has it or was sent enough; and the terms that rank."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from graph.connection import Graph, Row
from graph.queries import COMPILE_S, ID_LENGTHS
from graph.share_history import LIMITS as HISTORY
from graph.share_history import MOST_FRIENDS

MOST_SHARERS: Final = 1_000
"""Shares of the item whose sharers count as having shared it."""
MOST_GOT: Final = 10_000
MOST_RECEIVED: Final = 1_000
"""Shares sent to one user, beyond the cap, among which those of the window are counted: of the latest transactions."""
NEAREST: Final = 50
"""Users near in the embedding, and as many who acted on the category, before consent and blocks."""
MOST_ITEMS: Final = 20
MOST_ACTORS: Final = 50
"""Of each of those items."""


@dataclass(frozen=True, slots=True)
class Cap:
    """How many shares may be sent to one user, by anybody, before the user is left alone."""

    shares: int
    """0: any number."""
    hours: float
    """Within so many hours, by the server's clock."""

    @property
    def minutes(self) -> int:
        """The window in whole minutes, one at least."""
        return max(round(self.hours * 60), 1)


def read(graph: Graph, user_id: str, item_id: str, ids: Collection[str], cap: Cap) -> list[Row]:
    """Return those of the users to whom the user may send the item.

    Left out are who does not agree to `sharing` (nobody is left when the user does not), who blocked the user or was
    blocked, who bought or hid the item, and who got it from this user.

    Returns:
        Rows `userId modelVersion capped personal tiesStrength sharersStrength strength sharers friends interest`. Who
        was sent `cap` shares within its window is `capped` and has no terms; `personal`: both agree to
        `personalisation`. Terms are those of the propagation formula, over
        ties to friends who agree to `sharing`; `sharers` are the friends who shared the item, without the sender, and
        the strength of the tie to each; `interest` is in [0, 1], None where the live version does not know user and
        item or the user does not agree to `personalisation`.

    Raises:
        UnavailableError: Neo4j does not answer.
    """
    return graph.read("sharing.people", user_id=user_id, item_id=item_id, ids=sorted(ids), **limits(cap))


def strangers(graph: Graph, user_id: str, item_id: str, known: Collection[str]) -> list[Row]:
    """Return users whom the user does not know and who agree to `sharing` and `personalisation`.

    Args:
        graph: where from.
        user_id: whose taste.
        item_id: whose category.
        known: users to leave out.

    Returns:
        Rows `userId similarity acts`: similarity of the embeddings in [0, 1] (0.5 is unrelated), None where it was not
        near; on how many items of the category, among those looked at, the user acted. At most `2 * NEAREST`.

    Raises:
        UnavailableError: Neo4j does not answer.
    """
    given = {"user_id": user_id, "item_id": item_id, "known": sorted(known), **STRANGERS}
    return graph.read("sharing.strangers", **given)


def limits(cap: Cap) -> dict[str, int]:
    """Return the numbers that `sharing.people` is bounded by."""
    return {
        "cap": cap.shares,
        "cap_minutes": cap.minutes,
        "most_received": MOST_RECEIVED + cap.shares,
        "most_sharers": MOST_SHARERS,
        "most_got": MOST_GOT,
        "most_friends": MOST_FRIENDS,
    }


STRANGERS: Final = {"limit": NEAREST, "most_items": MOST_ITEMS, "most_actors": MOST_ACTORS}


def warm_up(graph: Graph) -> None:
    """Have the server compile the statements of share targets, so that no first caller has to wait for it.

    Raises:
        UnavailableError: Neo4j does not answer.
    """
    for length in ID_LENGTHS:
        asked = {"user_id": "?" * length, "item_id": "?" * length}
        graph.read("sharing.history", timeout_s=COMPILE_S, **asked, **HISTORY)
        graph.read("sharing.people", timeout_s=COMPILE_S, ids=["?"], **asked, **limits(Cap(1, 1.0)))
        graph.read("sharing.strangers", timeout_s=COMPILE_S, known=["?"], **asked, **STRANGERS)
