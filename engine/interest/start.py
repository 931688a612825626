"""What an incremental training goes on from: the parameters of a trained model, by its own rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import DataError
from engine.interest.encoder import Encoder, EncoderShape, Relation
from engine.interest.friendship import Friendship
from engine.interest.linear import LinearRecipe
from engine.interest.model import Choice
from engine.interest.ranker import Ranker
from engine.serving.blend import BlendWeights
from engine.serving.deep import DeepModel
from engine.serving.lineage import IN_FULL

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Start:
    """Parameters of the encoder and the scorers, and what was chosen when they were trained in full."""

    ids: Mapping[str, Floats]
    """Per type (N, D): the learned vector of each node's id, without what its attributes add."""
    projection: Mapping[str, Floats]
    """Per type with features (F, D)."""
    rounds: Mapping[str, Sequence[tuple[Floats, Floats, Floats]]]
    """Per relation `source.name.target`: for every round W_l (D, D), b (D,), W_r (D, D)."""
    deep: DeepModel
    friendship: Friendship
    linear: LinearRecipe
    half_life_days: float
    blend: BlendWeights

    @classmethod
    def of(cls, ranker: Ranker, choice: Choice) -> Start:
        """Return the parameters of a fitted model."""
        forward = ranker.models.encoder.forward_model()
        return cls(
            ids=id_vectors(ranker),
            projection=forward.projection,
            rounds=forward.weights,
            deep=ranker.models.deep,
            friendship=ranker.models.friendship,
            linear=choice.linear,
            half_life_days=choice.half_life_days,
            blend=choice.weights,
        )

    def encoder(self, rows: Mapping[str, NDArray[np.int64]], relations: tuple[Relation, ...]) -> Encoder:
        """Return an encoder with these parameters for other nodes.

        A node that is new has no vector of its own yet: its first layers are exactly what the forward pass gives a
        newcomer, its attributes and what its neighbours send.

        Args:
            rows: per type (N,) the row of each node here, -1 where it is new.
            relations: of the graph that is trained on.

        Raises:
            DataError: the graph has other kinds of relations.
        """
        wanted = {".".join(relation) for relation in relations}
        if different := sorted(wanted ^ set(self.rounds)):
            side = "has" if different[0] in wanted else "has no longer"
            raise DataError(f"the graph {side} relations {different[0]}, unlike the base version's: {IN_FULL}")
        width, layers = self.ids["user"].shape[1], len(next(iter(self.rounds.values()), ()))
        features = {kind: len(each) for kind, each in self.projection.items()}
        shape = EncoderShape({kind: len(each) for kind, each in rows.items()}, features, relations, width, layers)
        encoder = Encoder(shape)
        with torch.no_grad():
            for kind, row in rows.items():
                own = np.where((row >= 0)[:, None], self.ids[kind][np.maximum(row, 0)], np.float32(0.0))
                encoder.ids[kind].copy_(torch.from_numpy(own.reshape(len(row), width)))
            for kind, value in self.projection.items():
                encoder.projection[kind].copy_(torch.from_numpy(np.array(value)))
            for relation in relations:
                for conv, parts in zip(encoder.rounds, self.rounds[".".join(relation)], strict=True):
                    own_conv = conv.convs[relation]  # type: ignore[union-attr, index]
                    of_it = (own_conv.lin_l.weight, own_conv.lin_l.bias, own_conv.lin_r.weight)
                    for parameter, value in zip(of_it, parts, strict=True):
                        parameter.copy_(torch.from_numpy(np.array(value)))
        return encoder


def id_vectors(ranker: Ranker) -> dict[str, Floats]:
    """Return the learned vectors of ids per type (N, D)."""
    return {kind: table.detach().cpu().numpy() for kind, table in ranker.models.encoder.encoder.ids.items()}


def rows_in(base: NDArray[np.object_], ids: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return (N,) the place of each of `ids` in `base`, -1 where it is not there."""
    place = {name: row for row, name in enumerate(base.tolist())}
    return np.array([place.get(name, -1) for name in ids.tolist()], dtype=np.int64)
