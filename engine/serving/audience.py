"""Whom to show an item to: interest, and what an interested user's passing it on adds.

    score = C * (1 + w * (sigma - 1) * f)

C in [0, 1]: the chance that the user acts on the item; sigma >= 1: the user's influence score, expected users reached
when the user shares; f in [0, 1]: the part of the user's friends who have not met the item; w in [0, 1]: how probable
it is held that who acts on the item shares it. So the score is the number of users who are expected to be won or
reached by showing the item to this one; w = 0 ranks by interest alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WEIGHT = 0.2
"""w, unless asked otherwise; assumed, not learned."""
ACT_CHANCES: Mapping[str, float] = {
    "ADDED_TO_CART": 0.25,
    "SAVED": 0.08,
    "LIKED": 0.05,
    "COMMENTED": 0.05,
    "VIEWED": 0.02,
}
"""Chance to act on the item next that an interaction a moment ago tells of; assumed, not learned."""
HALF_LIFE_S = 3 * 86_400.0
WINDOW_S = 14 * 86_400
"""Older interactions would count less than a 25th and are not read."""
NEAR = 0.75
"""Similarity in [0, 1] (0.5 is unrelated) from which taste is named as a reason."""
INFLUENTIAL_PERCENTILE = 90.0

AUDIENCE_REASONS = ("recommended", "inCart", "liked", "viewed", "taste", "influential")
_REASON_OF = {"ADDED_TO_CART": "inCart", "SAVED": "liked", "LIKED": "liked", "COMMENTED": "liked", "VIEWED": "viewed"}


@dataclass(frozen=True, slots=True)
class Prospect:
    """A user to whom the item may be shown."""

    user_id: str
    listed: float | None = None
    """Calibrated chance of the item on the user's published list, in [0, 1]; None where it is not on it."""
    last_listed: float | None = None
    """The same of the last item of that list; None without a list, or where it was not needed."""
    similarity: float | None = None
    """Of user and item in the embedding, in [0, 1], 0.5 where unrelated; None where one of them is not in it."""
    acts: Sequence[tuple[str, float]] = ()
    """Interaction type and age in seconds."""
    influence: float | None = None
    """sigma; None where not known."""
    percentile: float | None = None
    """Of the influence, in [0, 100]."""
    reach: int = 0
    """Friends who have not met the item."""
    friends: int = 0


@dataclass(frozen=True, slots=True)
class Ranked:
    """A prospect with what ranks it."""

    prospect: Prospect
    score: float
    interest: float
    reasons: tuple[str, ...]
    """Of AUDIENCE_REASONS."""

    @property
    def place(self) -> tuple[float, str]:
        """Where it stands in the order."""
        return (-self.score, self.prospect.user_id)


def rank(prospects: Sequence[Prospect], weight: float) -> list[Ranked]:
    """Return those who have any interest, by score, best first; equal scores by user id.

    Args:
        prospects: any number.
        weight: w, in [0, 1].
    """
    ranked = [Ranked(each, score(each, weight), interest(each), reasons(each)) for each in prospects]
    return sorted((each for each in ranked if each.interest > 0.0), key=lambda each: each.place)


def score(prospect: Prospect, weight: float) -> float:
    """Return the users expected to be won or reached, >= 0."""
    fresh = prospect.reach / prospect.friends if prospect.friends else 0.0
    beyond = max((prospect.influence or 1.0) - 1.0, 0.0)
    return interest(prospect) * (1.0 + weight * beyond * fresh)


def interest(prospect: Prospect) -> float:
    """Return C in [0, 1]: one less the chance that neither the model nor an interaction speaks truly.

    Of each type of interaction the newest counts.
    """
    left = 1.0 - published(prospect)
    newest: dict[str, float] = {}
    for kind, age_s in prospect.acts:
        newest[kind] = min(age_s, newest.get(kind, math.inf))
    for kind, age_s in newest.items():
        left *= 1.0 - ACT_CHANCES[kind] * 2.0 ** (-max(age_s, 0.0) / HALF_LIFE_S)
    return 1.0 - left


def published(prospect: Prospect) -> float:
    """Return what the published version holds of the chance, in [0, 1].

    An item that is not on the list is wanted less than the last one on it: that chance times the closeness of the
    embeddings, which is 0 from a right angle on.
    """
    if prospect.listed is not None:
        return prospect.listed
    if prospect.last_listed is None or prospect.similarity is None:
        return 0.0
    return prospect.last_listed * max(2.0 * prospect.similarity - 1.0, 0.0)


def chance(logit: float | None) -> float | None:
    """Return the probability of a logit, None of None."""
    return None if logit is None else 0.5 * (1.0 + math.tanh(0.5 * logit))


def reasons(prospect: Prospect) -> tuple[str, ...]:
    """Return what speaks for the user, in the order of AUDIENCE_REASONS."""
    holds = {_REASON_OF[kind] for kind, _ in prospect.acts}
    if prospect.listed is not None:
        holds.add("recommended")
    if prospect.similarity is not None and prospect.similarity >= NEAR:
        holds.add("taste")
    if prospect.percentile is not None and prospect.percentile >= INFLUENTIAL_PERCENTILE:
        holds.add("influential")
    return tuple(name for name in AUDIENCE_REASONS if name in holds)


def of_row(row: Mapping[str, Any], now_s: float) -> Prospect:
    """Return the prospect that a row of the graph holds (`graph.audience`)."""
    return Prospect(
        user_id=row["userId"],
        listed=chance(row["listedScore"]) if row["chance"] is None else row["chance"],
        last_listed=chance(row["lastScore"]),
        similarity=row["similarity"],
        acts=[(kind, now_s - at_s) for kind, at_s in row["acts"]],
        influence=row["influence"],
        percentile=row["percentile"],
        reach=row["friendsSeen"].count(False),
        friends=len(row["friendsSeen"]),
    )
