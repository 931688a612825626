"""What is popular: with everybody, lately, and with users of the same attributes. Numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.serving.blend import Floats, log_lift, popularity, shares
from engine.serving.features import FeatureRows


@dataclass(frozen=True, slots=True)
class PopularModel:
    """Counts of acts over I items."""

    count: Floats
    """(I,) weighted acts on each item."""
    recent: Floats
    """(I,) the same, each act halved with every `TREND_HALF_LIFE_DAYS` of its age; zeros where no time is known."""
    segments: FeatureRows
    """(B, I) weighted acts of the users with attribute bucket b; rows of buckets that say too little are empty."""

    def parts(self, users: int, described: FeatureRows | None) -> dict[str, Floats]:
        """Return the named scores, each (N, I); a score that nothing is known for is left out.

        Args:
            users: N.
            described: the users' feature rows; their last B columns are the buckets.
        """
        found = {"popularity": popularity(self.count, users)}
        share = shares(self.count)
        if self.recent.any():
            found["trend"] = np.broadcast_to(log_lift(self.recent[None, :], share), (users, len(share)))
        if described is not None and len(self.segments.indices):
            found["segment"] = self._segment(described, share)
        return found

    def _segment(self, described: FeatureRows, share: Floats) -> Floats:
        """Return (N, I): the sum of the lifts of a user's buckets (naive Bayes: they are taken as independent)."""
        out = np.zeros((len(described.indptr) - 1, len(share)), dtype=np.float32)
        first = described.width - (len(self.segments.indptr) - 1)
        row = np.repeat(np.arange(len(out)), np.diff(described.indptr))
        for column in np.unique(described.indices[described.indices >= first]):
            start, stop = self.segments.indptr[column - first], self.segments.indptr[column - first + 1]
            if stop == start:
                continue
            counts = np.zeros((1, len(share)), dtype=np.float32)
            counts[0, self.segments.indices[start:stop]] = self.segments.values[start:stop]
            out[row[described.indices == column]] += log_lift(counts, share)
        return out


def nothing_described(buckets: int, items: int) -> FeatureRows:
    """Return empty segments."""
    return FeatureRows(np.zeros(buckets + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), items)
