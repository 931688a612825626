"""Why a candidate is named: codes that follow from the signals, each a fact that can be checked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.serving.sharetarget.evidence import Evidence
from engine.serving.sharetarget.itemsignals import passed
from engine.serving.sharetarget.signals import COLUMNS
from engine.serving.sharing import TARGET_REASONS

_WHERE: Mapping[str, int] = {name: place for place, (_, name) in enumerate(COLUMNS)}
SIMILAR = 0.02
"""Product of the factors from which two users count as similar."""


def reasons_of(look: Evidence, columns: NDArray[np.float32]) -> list[tuple[str, ...]]:
    """Return the codes of each candidate (C,), in the order of TARGET_REASONS; each has at least one.

    Args:
        look: the evidence.
        columns: (C, F) its signals.
    """

    def above(name: str, bound: float = 0.0) -> NDArray[np.bool_]:
        return columns[:, _WHERE[name]] > bound

    holds = {
        "openedBefore": above("sent_opened"),
        "sharedBefore": above("sent"),
        "sharesBack": above("received"),
        "friend": above("friendship"),
        "friendsShared": passed(look, with_u=False) > 0,
        "interest": above("item_received") | above("item_shared"),
        "friendsOfFriends": above("common"),
        "similarTaste": above("vector", SIMILAR),
    }
    known = np.any(list(holds.values()), axis=0)
    active = np.isin(look.pairs.user, look.population.active)
    holds["activeReceiver"] = ~known & active
    # Who is neither is a candidate by the listed likeness to the user or to those whom the user met last.
    holds["similarTaste"] |= ~known & ~active
    return [tuple(code for code in TARGET_REASONS if code in holds and holds[code][at]) for at in range(len(columns))]
