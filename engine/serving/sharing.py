"""To whom to send an item: the propagation formula and the history of who sent what to whom.

    P(i->j) = alpha S(i,j) / D(j) + beta C(i,j) / N(j), clipped to [0, 1]

S: strength of j's ties to friends who shared i (the sharer counts: the question is what happens once they share);
D: strength of all of j's ties; C in [0, 1]: j's interest in i; N: number of j's friends. History is added to it:
live counting of past shares beats every model tried that does not see them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HALF_LIFE_S = 14 * 86_400.0
"""A past share counts half after two weeks."""
OPENED_WEIGHT = 1.0
"""What an opened share counts beyond one that was only sent."""
RECEIVED_WEIGHT = 0.75
"""What a share in the other direction counts."""
HISTORY_WEIGHT = 1.0
INTERESTED = 0.7
"""Interest from which it is named as a reason."""

KNOWN_REASONS = ("openedBefore", "sharedBefore", "sharesBack", "friend", "friendsShared", "interest")
STRANGER_REASONS = (
    "similarTaste",  # near in an embedding: of the interest model, or of who shares with whom
    "interestedInCategory",
    "activeReceiver",  # nothing but that they receive much lately
)
TARGET_REASONS = (*KNOWN_REASONS, "friendsOfFriends", *STRANGER_REASONS)
"""friendsOfFriends: met by the same users."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The formula's two weights; a version holds those that its shop's shares were fitted with."""

    alpha: float = 0.5
    beta: float = 0.5


ALPHA, BETA = "propagationAlpha", "propagationBeta"
"""Under these names a model's card holds them, and `:ModelVersion` in the graph."""
UNFITTED = Weights()
"""Where too little has been passed on to fit any."""


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
    formula: float
    """P(i->j) by the formula."""
    reasons: tuple[str, ...]
    """Of TARGET_REASONS."""
    learned: float | None = None
    """P(i->j) as the live version learned it, None where it knows no tie between the two."""

    @property
    def probability(self) -> float:
        """P(i->j): learned, else by the formula."""
        return self.formula if self.learned is None else self.learned


@dataclass(frozen=True, slots=True)
class Stranger:
    """A possible recipient whom the user does not know."""

    candidate: Candidate
    similarity: float | None
    """Of the user's and the stranger's embeddings in [0, 1], 0.5 where unrelated; None where they are not near."""
    acts: int
    """Items of the item's category that the stranger acted on."""


def rank(candidates: Sequence[Candidate], limit: int, weights: Weights = UNFITTED) -> list[Target]:
    """Return the best `limit` recipients, best first; equal scores by user id."""
    targets = [target(candidate, weights) for candidate in candidates]
    return sorted(targets, key=lambda each: (-each.score, each.user_id))[:limit]


def rank_strangers(
    strangers: Sequence[Stranger], limit: int, below: float, weights: Weights = UNFITTED
) -> list[Target]:
    """Return the best `limit` strangers, best first; equal scores by user id.

    A stranger's score is `below` times the mean of similarity, interest and acts / (1 + acts): never above `below`.

    Args:
        strangers: any number.
        limit: at most so many.
        below: the least score of the people known; 1 where there are none.
        weights: of the formula.
    """
    best = sorted(strangers, key=lambda each: (-_nearness(each), each.candidate.user_id))[:limit]
    return [
        Target(
            each.candidate.user_id, below * _nearness(each), formula(each.candidate, weights), stranger_reasons(each)
        )
        for each in best
    ]


def stranger_reasons(stranger: Stranger) -> tuple[str, ...]:
    """Return why a stranger is named, in the order of TARGET_REASONS."""
    holds = {"similarTaste": stranger.similarity is not None, "interestedInCategory": stranger.acts > 0}
    known = [name for name in reasons(stranger.candidate) if name in ("friendsShared", "interest")]
    return (*known, *(name for name in STRANGER_REASONS if holds.get(name)))


def target(candidate: Candidate, weights: Weights = UNFITTED) -> Target:
    """Return the candidate with score and reasons."""
    probability = formula(candidate, weights)
    count = history(candidate)
    score = probability + HISTORY_WEIGHT * count / (1.0 + count)
    return Target(candidate.user_id, score, probability, reasons(candidate))


def formula(candidate: Candidate, weights: Weights = UNFITTED) -> float:
    """Return P(i->j) in [0, 1]; a term without its denominator is 0."""
    shared = candidate.sharers_strength / candidate.ties_strength if candidate.ties_strength > 0 else 0.0
    wanted = candidate.interest / candidate.friends if candidate.interest and candidate.friends else 0.0
    return min(max(weights.alpha * shared + weights.beta * wanted, 0.0), 1.0)


def history(candidate: Candidate) -> float:
    """Return how much u and j shared lately, >= 0."""
    sent = sum(_fresh(age) * (1.0 + OPENED_WEIGHT * opened) for age, opened in candidate.sent)
    return sent + RECEIVED_WEIGHT * sum(_fresh(age) for age in candidate.received)


def reasons(candidate: Candidate) -> tuple[str, ...]:
    """Return what speaks for someone known, in the order of KNOWN_REASONS."""
    others = candidate.sharers_strength - (candidate.strength or 0.0)
    holds = {
        "openedBefore": any(opened for _, opened in candidate.sent),
        "sharedBefore": bool(candidate.sent),
        "sharesBack": bool(candidate.received),
        "friend": candidate.strength is not None,
        "friendsShared": others > 1e-9,
        "interest": candidate.interest is not None and candidate.interest >= INTERESTED,
    }
    return tuple(name for name in KNOWN_REASONS if holds[name])


def _fresh(age_s: float) -> float:
    return 2.0 ** (-max(age_s, 0.0) / HALF_LIFE_S)


def _nearness(stranger: Stranger) -> float:
    """Return a number in [0, 1) that ranks strangers."""
    acted = stranger.acts / (1.0 + stranger.acts)
    return ((stranger.similarity or 0.0) + (stranger.candidate.interest or 0.0) + acted) / 3.0
