"""Embedding users and items that are newer than the live version, with that version's encoder; numpy only."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.serving import bundle, live
from engine.serving.scorers import Newcomer
from engine.serving.sharetarget.ranker import Ranker
from engine.serving.sharing import UNFITTED, Weights

log = logging.getLogger("kith.api")
ABSENT_S = 10.0
"""A model folder that is not on this machine is looked for again after this."""


LEAST_STRENGTH = 1e-3
"""A tie weaker than this counts as this weak."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A newcomer's list, best first."""

    known_by: str
    """`history`, `friends`, `attributes` or `popularity`: the first that was known."""
    items: list[str]
    scores: list[float]
    """Logits, descending."""
    codes: list[int]
    """Packed reasons."""


class Encoders:
    """The live version's encoder; a process loads its first one when it is needed, later ones beside the requests.

    Until a new version's encoder is there, newcomers are served without it.
    """

    def __init__(self, artifacts: Path) -> None:
        self._artifacts = artifacts
        self._lock = threading.Lock()
        self._kept: tuple[str, bundle.Bundle | None, float] = ("", None, 0.0)
        self._loading: threading.Thread | None = None

    def notice(self, model_version: str) -> None:
        """Load this version's encoder beside the requests, if it is not here yet."""
        if self._kept[0] == model_version:
            return
        with self._lock:
            if not self._is_good(model_version) and not (self._loading and self._loading.is_alive()):
                self._loading = threading.Thread(target=self._keep, args=(model_version,), name="encoder", daemon=True)
                self._loading.start()

    def wait(self) -> None:
        """Wait until what is being loaded is there."""
        if (loading := self._loading) is not None:
            loading.join()

    def rank(
        self,
        model_version: str,
        recent: Sequence[Sequence[Any]],
        friends: Sequence[Sequence[Any]],
        attributes: Mapping[str, Any],
        limit: int,
    ) -> Ranked | None:
        """Rank the version's items for a user that it does not hold; None where its encoder is not here.

        Args:
            model_version: whose encoder.
            recent: the user's acts, as `graph.queries.RecommendationInputs.recent` has them.
            friends: `[userId, strength, itemIds]` of those who agreed: what each acted on.
            attributes: the user's attributes by name.
            limit: at most so many items.
        """
        encoder = self._find(model_version)
        if encoder is None:
            return None
        weight_of = {item: _weight(kind, rating) for item, kind, _, rating, *_ in reversed(recent)}
        liked = sorted(item for item, weight in weight_of.items() if weight > 0)
        items, known = places(encoder.artifact.item_ids, liked)
        users, knows = places(encoder.artifact.user_ids, [user for user, *_ in friends])
        kept = [friend for friend, is_known in zip(friends, knows, strict=True) if is_known]
        newcomer = Newcomer(
            items=items,
            weights=[weight_of[item] for item, is_known in zip(liked, known, strict=True) if is_known],
            friends=users,
            strengths=[max(float(strength), LEAST_STRENGTH) for _, strength, _ in kept],
            friends_items=[places(encoder.artifact.item_ids, acted)[0] for *_, acted in kept],
            attributes=attributes,
        )
        lists, known_by = encoder.recommend(newcomer, limit)
        count = int((lists.target[0] >= 0).sum())
        codes = lists.reasons[0, :count].astype(int) if lists.reasons is not None else np.zeros((0, 2), int)
        return Ranked(
            known_by,
            encoder.artifact.item_ids[lists.target[0, :count]].tolist(),
            lists.score[0, :count].tolist(),
            (codes[:, 0] * 256 + codes[:, 1]).tolist(),
        )

    def share_ranker(self, model_version: str) -> Ranker | None:
        """Return the version's ranker of share targets; None where its folder is not here or holds none."""
        encoder = self._find(model_version)
        return None if encoder is None else encoder.share_ranker

    def propagation(
        self, model_version: str, sender: str, recipients: Sequence[str], item_id: str, channel: str | None
    ) -> dict[str, float]:
        """Return P(u->v | i) of the recipients to whom the version knows a tie of the sender's.

        Args:
            model_version: whose.
            sender: u.
            recipients: v each.
            item_id: i; one that came after the version adds nothing.
            channel: that it is shared in.
        """
        encoder = self._find(model_version)
        if encoder is None or encoder.propagation is None:
            return {}
        own, _ = places(encoder.artifact.user_ids, [sender])
        rows, known = places(encoder.artifact.user_ids, recipients)
        if not own or not rows:
            return {}
        items, _ = places(encoder.artifact.item_ids, [item_id])
        chances = encoder.propagation.chances(own[0], rows, items[0] if items else None, channel)
        named = [user for user, is_known in zip(recipients, known, strict=True) if is_known]
        return {user: float(chance) for user, chance in zip(named, chances, strict=True) if not np.isnan(chance)}

    def formula(self, model_version: str) -> Weights:
        """Return the weights of the propagation formula that the version holds, the usual ones where it has none."""
        encoder = self._find(model_version)
        return UNFITTED if encoder is None else encoder.formula

    def unknown_items(self, model_version: str, items: Sequence[str]) -> list[str] | None:
        """Return those of the items that the version does not hold; None where its encoder is not here yet."""
        version, encoder, _ = self._kept
        if encoder is None or version != model_version:
            return None
        _, known = places(encoder.artifact.item_ids, items)
        return [item for item, is_known in zip(items, known, strict=True) if not is_known]

    def embed_items(self, model_version: str, described: Sequence[Mapping[str, Any]]) -> NDArray[np.float32] | None:
        """Return the vectors (N, D) of items by their attributes; None where the version's encoder is not here yet."""
        version, encoder, _ = self._kept
        return None if encoder is None or version != model_version else encoder.embed_items(described)

    def place_new_items(
        self, model_version: str, user_id: str, vectors: NDArray[np.float32]
    ) -> NDArray[np.float32] | None:
        """Return the logits (N,) of the chance that a user of the version takes items that came after it.

        Args:
            model_version: whose encoder.
            user_id: who.
            vectors: (N, D) from `embed_items`.

        Returns:
            None where the version's encoder is not here, or does not hold the user, or learned nothing of new items.
        """
        version, encoder, _ = self._kept
        if encoder is None or version != model_version:
            return None
        found, _ = places(encoder.artifact.user_ids, [user_id])
        if not found:
            return None
        acts = int(encoder.scorers.user_sizes[found[0], 1])
        return encoder.place_new_items(encoder.artifact.user_embedding[found[0]], acts, vectors)

    def embed_item(self, model_version: str, attributes: Mapping[str, Any]) -> list[float] | None:
        """Return the vector (D,) of an item by its attributes, None as for `rank` or where they say nothing."""
        encoder = self._find(model_version)
        return None if encoder is None else _vector(encoder.embed_item(attributes=attributes))

    def example(self, model_version: str) -> list[float] | None:
        """Return some vector (D,) of this version, None where its encoder is not here or it has no items."""
        encoder = self._find(model_version)
        if encoder is None or not len(encoder.artifact.item_embedding):
            return None
        return _vector(encoder.artifact.item_embedding[0])

    def _find(self, model_version: str) -> bundle.Bundle | None:
        if not self._is_good(model_version):
            if self._kept[1] is not None:
                self.notice(model_version)
            else:
                self.wait()
                with self._lock:
                    if not self._is_good(model_version):
                        self._keep(model_version)
        version, encoder, _ = self._kept
        return encoder if version == model_version else None

    def _keep(self, model_version: str) -> None:
        self._kept = (model_version, self._load(model_version), time.monotonic() + ABSENT_S)

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
