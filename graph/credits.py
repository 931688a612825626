"""Who is credited with a purchase: the share that brought it, the first of its chain, or all of them alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a buyer paid, and what came back."""

    event_id: str
    value_minor: int
    refunded_minor: int
    currency: str
    occurred_ms: int | None
    """None where nobody said when; such a purchase is credited to nobody."""

    @property
    def left_minor(self) -> int:
        """Return what is left of the value; more paid back than paid leaves nothing."""
        return max(self.value_minor - self.refunded_minor, 0)

    @property
    def is_undone(self) -> bool:
        """Whether it was paid back whole."""
        return self.refunded_minor > 0 and not self.left_minor


@dataclass(frozen=True, slots=True)
class Credit:
    """A part of a purchase that a share is credited with."""

    share_id: str
    amount_minor: int


def credits_of(
    purchase: Purchase, chain: Sequence[tuple[str, int | None]], model: str, look_back_ms: int
) -> list[Credit]:
    """Return the credits of a purchase; their amounts add up to what is left of its value.

    Args:
        purchase: the purchase.
        chain: shares with their times (ms, None where unknown), the one that the buyer came from first, its parent
            next, the root last.
        model: `last`, `first` or `linear`.
        look_back_ms: shares so long before the purchase get nothing. Nor do shares after it, or without a time.

    Returns:
        Nothing for a purchase that was paid back whole. `linear` gives every share of the chain the same; what does not
        divide goes, a minor unit each, to the shares nearest to the purchase.
    """
    at = purchase.occurred_ms
    if at is None or purchase.is_undone:
        return []
    near = [share_id for share_id, ms in chain if ms is not None and 0 <= at - ms <= look_back_ms]
    if not near:
        return []
    if model == "last":
        near = near[:1]
    elif model == "first":
        near = near[-1:]
    share, over = divmod(purchase.left_minor, len(near))
    return [Credit(share_id, share + (position < over)) for position, share_id in enumerate(near)]
