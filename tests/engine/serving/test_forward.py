"""The numpy forward pass against the torch encoder."""

from __future__ import annotations

import numpy as np
import torch

from engine.interest.encoder import combine
from engine.interest.training import EncoderSettings, fit_encoder
from engine.serving.forward import NewEdges, embed
from tests.engine.interest.communities import communities


def test_a_node_without_an_id_gets_what_the_torch_encoder_gives_it() -> None:
    data = communities(users=60, items=40)
    fitted = fit_encoder(data, EncoderSettings(width=8, steps=3, batch_users=32))
    model = fitted.forward_model()
    rows, ties = data.positives.take(np.array([4])), data.friends.take(np.array([4]))
    edges = {
        "item.acted.user": NewEdges(rows.indptr, rows.indices, rows.values),
        "user.friend.user": NewEdges(ties.indptr, ties.indices, ties.values),
    }
    got = embed(model, "user", 1, edges, None)
    layer = torch.zeros(1, 8)
    total = layer
    for depth, conv in enumerate(fitted.encoder.rounds):
        out = torch.zeros(1, 8)
        for name, matrix in (("acted", rows), ("friend", ties)):
            source = "item" if name == "acted" else "user"
            degree = fitted.relations.source_degree[source, name, "user"][matrix.indices]
            weight = matrix.values / np.sqrt(matrix.values.sum() * degree)
            table = fitted.layers[depth][source][matrix.indices]
            sage = conv.convs[source, name, "user"]
            out = out + sage.lin_l(torch.from_numpy((weight[:, None] * table).sum(axis=0, keepdims=True)))
            out = out + sage.lin_r(layer)
        layer = out
        total = total + layer
    wanted = combine([{"user": total}])["user"].detach().numpy()
    assert np.allclose(got, wanted, atol=1e-5)


def test_a_node_of_which_nothing_is_known_has_no_direction() -> None:
    data = communities(users=60, items=40)
    model = fit_encoder(data, EncoderSettings(width=8, steps=1)).forward_model()
    assert not embed(model, "user", 2, {}, None).any()
    assert not embed(
        model,
        "user",
        2,
        {"item.acted.user": NewEdges(np.zeros(3, int), np.zeros(0, np.int32), np.zeros(0, np.float32))},
        None,
    ).any()
