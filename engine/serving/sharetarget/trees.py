"""A sum of small regression trees of one depth, in numpy: all trees of a block of rows go down one level at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import ArtifactError
from engine.serving.sharetarget.history import Float
from engine.serving.sharetarget.population import Floats

AT_A_TIME = 1 << 20
"""Rows times trees that are held at a time."""
ARRAYS = ("feature", "threshold", "value")


@dataclass(frozen=True, slots=True)
class Trees:
    """T complete binary trees of depth D over F signals; node n has the children 2 n + 1 and 2 n + 2."""

    feature: NDArray[np.int32]
    """(T, 2^D - 1) signal of each inner node."""
    threshold: Floats
    """(T, 2^D - 1); who is above it goes to the right. Infinite where a node does not split."""
    value: Floats
    """(T, 2^D) of the leaves."""

    def __len__(self) -> int:
        return len(self.value)

    def first(self, trees: int) -> Trees:
        """Return the first `trees` of them."""
        return Trees(self.feature[:trees], self.threshold[:trees], self.value[:trees])

    def after(self, trees: int) -> Trees:
        """Return all but the first `trees` of them."""
        return Trees(self.feature[trees:], self.threshold[trees:], self.value[trees:])

    def score(self, signals: NDArray[np.float32]) -> Float:
        """Return (C,) sums of the leaves that the rows (C, F) fall into."""
        found = np.zeros(len(signals))
        step = max(1, AT_A_TIME // max(len(self), 1))
        for start in range(0, len(signals), step):
            found[start : start + step] = self._of_block(signals[start : start + step])
        return found

    def _of_block(self, signals: NDArray[np.float32]) -> Float:
        inner, tree = self.feature.shape[1], np.arange(len(self))
        row = np.arange(len(signals))[:, None]
        node = np.zeros((len(signals), len(self)), dtype=np.int64)
        for _ in range(inner.bit_length()):
            above = signals[row, self.feature[tree, node]] > self.threshold[tree, node]
            node = 2 * node + 1 + above
        return self.value[tree, node - inner].sum(axis=1, dtype=np.float64)

    def to_arrays(self) -> dict[str, NDArray]:
        """Return the trees by name."""
        return {"feature": self.feature, "threshold": self.threshold, "value": self.value}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray], width: int) -> Trees:
        """Return the trees that `to_arrays` stored.

        Raises:
            ArtifactError: an array is missing, has another shape, or names a signal beyond `width`.
        """
        try:
            feature, threshold, value = (arrays[name] for name in ARRAYS)
        except KeyError as error:
            raise ArtifactError(f"the share-target model lacks the array {error} of its trees") from None
        feature = feature.astype(np.int32)
        leaves = value.shape[1] if value.ndim == 2 else 0
        shape = (len(value), leaves - 1)
        if leaves & (leaves - 1) or leaves < 2 or feature.shape != shape or threshold.shape != shape:
            raise ArtifactError("the trees of the share-target model are not complete")
        if feature.min(initial=0) < 0 or feature.max(initial=-1) >= width:
            raise ArtifactError(f"the trees of the share-target model are made for other signals than these {width}")
        return cls(feature, threshold, value)
