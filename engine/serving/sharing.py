"""To whom to send an item: the propagation formula and the history of who sent what to whom.

    P(i->j) = alpha S(i,j) / D(j) + beta C(i,j) / N(j), clipped to [0, 1]

S: strength of j's ties to friends who shared i (the sharer counts: the question is what happens once they share);
D: strength of all of j's ties; C in [0, 1]: j's interest in i; N: number of j's friends. History is added to it:
live counting of past shares beats every model tried that does not see them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALPHA = 0.5
BETA = 0.5
HALF_LIFE_S = 14 * 86_400.0
"""A past share counts half after two weeks."""
OPENED_WEIGHT = 1.0
"""What an opened share counts beyond one that was only sent."""
RECEIVED_WEIGHT = 0.75
"""What a share in the other direction counts."""
HISTORY_WEIGHT = 1.0
INTERESTED = 0.7
"""Interest from which it is named as a reason."""

TARGET_REASONS = ("openedBefore", "sharedBefore", "sharesBack", "friend", "friendsShared", "interest")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible recipient j of item i from user u."""

    user_id: str
    strength: float | None
    """Of the tie between u and j, None if they are no friends."""
    sharers_strength: float
    """S(i,j)"""
    ties_strength: float
    """D(j)"""
    friends: int
    """N(j)"""
    interest: float | None
    """C(i,j) in [0, 1], None if not known."""
    sent: Sequence[tuple[float, bool]] = ()
    """Age in seconds of each share from u to j, and whether j opened it."""
    received: Sequence[float] = ()
    """Age in seconds of each share from j to u."""


@dataclass(frozen=True, slots=True)
class Target:
    """A ranked recipient."""

    user_id: str
    score: float
    """Formula and history; ranks, and is no probability."""
    probability: float
    """P(i->j) by the formula."""
    reasons: tuple[str, ...]
    """Of TARGET_REASONS."""


def rank(candidates: Sequence[Candidate], limit: int) -> list[Target]:
    """Return the best `limit` recipients, best first; equal scores by user id."""
    targets = [target(candidate) for candidate in candidates]
    return sorted(targets, key=lambda each: (-each.score, each.user_id))[:limit]


def target(candidate: Candidate) -> Target:
    """Return the candidate with score and reasons."""
    probability = formula(candidate)
    count = history(candidate)
    score = probability + HISTORY_WEIGHT * count / (1.0 + count)
    return Target(candidate.user_id, score, probability, reasons(candidate))


def formula(candidate: Candidate) -> float:
    """Return P(i->j) in [0, 1]; a term without its denominator is 0."""
    shared = ALPHA * candidate.sharers_strength / candidate.ties_strength if candidate.ties_strength > 0 else 0.0
    wanted = BETA * candidate.interest / candidate.friends if candidate.interest and candidate.friends else 0.0
    return min(max(shared + wanted, 0.0), 1.0)


def history(candidate: Candidate) -> float:
    """Return how much u and j shared lately, >= 0."""
    sent = sum(_fresh(age) * (1.0 + OPENED_WEIGHT * opened) for age, opened in candidate.sent)
    return sent + RECEIVED_WEIGHT * sum(_fresh(age) for age in candidate.received)


def reasons(candidate: Candidate) -> tuple[str, ...]:
    """Return what speaks for the candidate, in the order of TARGET_REASONS."""
    others = candidate.sharers_strength - (candidate.strength or 0.0)
    holds = {
        "openedBefore": any(opened for _, opened in candidate.sent),
        "sharedBefore": bool(candidate.sent),
        "sharesBack": bool(candidate.received),
        "friend": candidate.strength is not None,
        "friendsShared": others > 1e-9,
        "interest": candidate.interest is not None and candidate.interest >= INTERESTED,
    }
    return tuple(name for name in TARGET_REASONS if holds[name])


def _fresh(age_s: float) -> float:
    return 2.0 ** (-max(age_s, 0.0) / HALF_LIFE_S)
