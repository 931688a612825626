"""An artifact's arrays as the rows that publication sends, batch by batch; numbers travel as Bolt vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.types import Artifact, RankedLists
from graph.connection import Vector
from graph.errors import InputError

LONGEST_VECTOR = 4096
"""Most dimensions of a vector in Neo4j."""

Row = dict[str, Any]


def check(artifact: Artifact) -> None:
    """Make sure that the arrays fit together and can be stored.

    Raises:
        InputError: a length or a target is wrong, or a number is not finite; the message says which array.
    """
    users, items = len(artifact.user_ids), len(artifact.item_ids)
    lengths = {
        "user_embedding": (artifact.user_embedding, users),
        "item_embedding": (artifact.item_embedding, items),
        "influence_score": (artifact.influence_score, users),
        "influence_percentile": (artifact.influence_percentile, users),
        "influence_error": (artifact.influence_error, users),
        "recommended": (artifact.recommended.score, users),
        "similar": (artifact.similar.score, items),
        "influences": (artifact.influences.score, users),
    }
    for name, (array, length) in lengths.items():
        if len(array) != length:
            raise InputError(f"artifact {artifact.model_version}: {name} has {len(array)} rows, not {length}")
        if array.ndim == 2 and array.shape[1] > LONGEST_VECTOR:
            raise InputError(f"artifact {artifact.model_version}: {name} is wider than {LONGEST_VECTOR}")
        if not np.isfinite(array).all():
            raise InputError(f"artifact {artifact.model_version}: {name} holds numbers that are not finite")
    targets = {"recommended": items, "similar": items, "influences": users}
    for name, count in targets.items():
        lists: RankedLists = getattr(artifact, name)
        if lists.target.shape != lists.score.shape:
            raise InputError(f"artifact {artifact.model_version}: {name} has targets and scores of different shapes")
        if lists.target.size and not (int(lists.target.min()) >= -1 and int(lists.target.max()) < count):
            raise InputError(f"artifact {artifact.model_version}: {name} names a node that does not exist")


def user_rows(artifact: Artifact, start: int, stop: int) -> list[Row]:
    """Return the rows of users `start` to `stop` for `publication.write_users`."""
    recommended = _lists(artifact.recommended, artifact.item_ids, start, stop)
    influenced = _lists(artifact.influences, artifact.user_ids, start, stop)
    packed = _packed_reasons(artifact.recommended, start, stop)
    return [
        {
            "id": artifact.user_ids[row],
            "embedding": Vector(artifact.user_embedding[row]),
            "influence": float(artifact.influence_score[row]),
            "percentile": float(artifact.influence_percentile[row]),
            "error": float(artifact.influence_error[row]),
            "items": items,
            "scores": scores,
            "reasons": Vector(packed[row - start, : len(items)]) if items else [],
            "users": users,
            "probabilities": probabilities,
        }
        for row, (items, scores), (users, probabilities) in zip(
            range(start, stop), recommended, influenced, strict=True
        )
    ]


def item_rows(artifact: Artifact, start: int, stop: int) -> list[Row]:
    """Return the rows of items `start` to `stop` for `publication.write_items`."""
    similar = _lists(artifact.similar, artifact.item_ids, start, stop)
    return [
        {
            "id": artifact.item_ids[row],
            "embedding": Vector(artifact.item_embedding[row]),
            "items": items,
            "scores": scores,
        }
        for row, (items, scores) in zip(range(start, stop), similar, strict=True)
    ]


def _lists(
    lists: RankedLists, names: NDArray[np.object_], start: int, stop: int
) -> list[tuple[list[str], Vector | list[float]]]:
    """Return per row the names of its targets and their scores; -1 ends a list."""
    target, score = lists.target[start:stop], np.ascontiguousarray(lists.score[start:stop], dtype=np.float32)
    if target.size == 0:
        return [([], [])] * (stop - start)
    length = np.where((target < 0).any(axis=1), (target < 0).argmax(axis=1), target.shape[1])
    named = names[np.maximum(target, 0)]
    return [
        (named[row, :n].tolist(), Vector(score[row, :n])) if n else ([], []) for row, n in enumerate(length.tolist())
    ]


def _packed_reasons(lists: RankedLists, start: int, stop: int) -> NDArray[np.int32]:
    """Return (B, K) `code1 * 256 + code2`; 255 stands for none."""
    if lists.reasons is None:
        return np.full((stop - start, lists.target.shape[1]), 255 * 256 + 255, dtype=np.int32)
    codes = lists.reasons[start:stop].astype(np.int32)
    return np.ascontiguousarray(codes[..., 0] * 256 + codes[..., 1])
