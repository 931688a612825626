"""Where a version comes from: trained in full, or further from another one. The graph reads it too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

IN_FULL = "train in full (without incremental)"
"""What a message ends with where an incremental training cannot be had."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """The chain of trainings that a version ends."""

    base: str | None
    """The version it went on from; None: trained in full."""
    trainings: int
    """Incremental trainings since the full one; 0 for a full one."""
    full: str
    """The version that was trained in full at the chain's beginning; a full one is its own."""
    full_watermark_s: int
    """Of that one's snapshot."""
    why: str = ""
    """Why a full training was made where an incremental one was asked for."""

    @property
    def is_incremental(self) -> bool:
        """Whether the version went on from another one."""
        return self.base is not None

    def next(self, model_version: str) -> Lineage:
        """Return the lineage of a version that goes on from this one, whose name is given."""
        return Lineage(model_version, self.trainings + 1, self.full, self.full_watermark_s)

    def to_json(self) -> dict[str, Any]:
        """Return the lineage as JSON-able values."""
        kind = "incremental" if self.is_incremental else "full"
        found = {"kind": kind, "base": self.base, "trainings": self.trainings, "full": self.full}
        return {**found, "fullWatermarkS": self.full_watermark_s} | ({"why": self.why} if self.why else {})

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Lineage:
        """Rebuild a lineage from `to_json`.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        base, trainings = value["base"], int(value["trainings"])
        if (base is None) != (trainings == 0) or trainings < 0:
            raise ValueError("a version has a base if it is not the first of its chain, and only then")
        return cls(base, trainings, str(value["full"]), int(value["fullWatermarkS"]), str(value.get("why", "")))


def of_card(metrics: Mapping[str, Any]) -> Lineage | None:
    """Return the lineage that a card tells of; None where it tells none: it was trained in full, as all once were."""
    try:
        return Lineage.from_json(metrics["lineage"])
    except (KeyError, TypeError, ValueError):
        return None
