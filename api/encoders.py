"""Embedding users and items that are newer than the live version, with that version's encoder; numpy only."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.serving import bundle, live

log = logging.getLogger("kith.api")
ABSENT_S = 10.0
"""A model folder that is not on this machine is looked for again after this."""


class Encoders:
    """The live version's encoder, loaded when first needed; the one before it is dropped."""

    def __init__(self, artifacts: Path) -> None:
        self._artifacts = artifacts
        self._lock = threading.Lock()
        self._kept: tuple[str, bundle.Bundle | None, float] = ("", None, 0.0)

    def embed_user(
        self,
        model_version: str,
        recent: Sequence[Sequence[Any]],
        friends: Sequence[Sequence[Any]],
        attributes: Mapping[str, Any],
    ) -> list[float] | None:
        """Return the vector (D,) of a user; None when the encoder is not here, or nothing known leads to a vector.

        Args:
            model_version: whose encoder.
            recent: the user's acts, as `graph.queries.RecommendationInputs.recent` has them.
            friends: `[userId, strength]` of those who agreed.
            attributes: the user's attributes by name.
        """
        encoder = self._find(model_version)
        if encoder is None:
            return None
        weight_of = {item: _weight(kind, rating) for item, kind, _, rating, *_ in reversed(recent)}
        liked = sorted(item for item, weight in weight_of.items() if weight > 0)
        items, known = places(encoder.artifact.item_ids, liked)
        weights = [weight_of[item] for item, is_known in zip(liked, known, strict=True) if is_known]
        users, _ = places(encoder.artifact.user_ids, [user for user, _ in friends])
        return _vector(encoder.embed_user(items, weights, users, attributes))

    def embed_item(self, model_version: str, attributes: Mapping[str, Any]) -> list[float] | None:
        """Return the vector (D,) of an item by its attributes, None as for `embed_user`."""
        encoder = self._find(model_version)
        return None if encoder is None else _vector(encoder.embed_item(attributes=attributes))

    def _find(self, model_version: str) -> bundle.Bundle | None:
        if not self._is_good(model_version):
            with self._lock:
                if not self._is_good(model_version):
                    self._kept = (model_version, self._load(model_version), time.monotonic() + ABSENT_S)
        version, encoder, _ = self._kept
        return encoder if version == model_version else None

    def _is_good(self, model_version: str) -> bool:
        version, encoder, until = self._kept
        return version == model_version and (encoder is not None or time.monotonic() < until)

    def _load(self, model_version: str) -> bundle.Bundle | None:
        try:
            return bundle.load(self._artifacts / Path(model_version).name)
        except (EngineError, OSError, KeyError) as error:
            log.warning("no encoder of %s here, newcomers are served by neighbours: %s", model_version, error)
            return None


def places(ids: NDArray[np.object_], wanted: Sequence[str]) -> tuple[list[int], list[bool]]:
    """Return where the wanted ids stand, and which of them are there at all.

    Args:
        ids: (N,) ascending.
        wanted: any ids.
    """
    if not len(ids) or not wanted:
        return [], [False] * len(wanted)
    at = np.minimum(np.searchsorted(ids, np.array(wanted, dtype=object)), len(ids) - 1)
    known = [bool(ids[place] == each) for place, each in zip(at, wanted, strict=True)]
    return [int(place) for place, is_known in zip(at, known, strict=True) if is_known], known


def _weight(kind: str, rating: float | None) -> float:
    return live.act_weight(live.Act("", kind, 0.0, rating))


def _vector(embedding: NDArray[np.float32]) -> list[float] | None:
    return [float(each) for each in embedding] if embedding.any() and np.isfinite(embedding).all() else None
