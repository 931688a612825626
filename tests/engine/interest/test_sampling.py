"""Sampled subgraphs: exact with all neighbours, unbiased with some."""

from __future__ import annotations

import numpy as np
import torch

from engine.interest.encoder import Encoder, EncoderShape, Neighbourhood, combine
from engine.interest.relations import relations_of
from engine.interest.sampling import sample
from tests.engine.interest.communities import communities


def test_all_neighbours_give_the_embeddings_of_full_propagation() -> None:
    data = communities()
    relations = relations_of(data)
    torch.manual_seed(0)
    shape = EncoderShape({"user": data.users, "item": data.items}, {"user": 0, "item": 0}, relations.names, width=8)
    encoder = Encoder(shape).eval()
    whole = combine(
        encoder.propagate(encoder.layer0({}), {k: Neighbourhood.of(v) for k, v in relations.weights.items()})
    )
    seeds = {"user": np.array([7, 3, 99]), "item": np.array([5, 60])}
    part = sample(relations.weights, seeds, (10_000, 10_000), np.random.default_rng(0))
    nodes = {kind: torch.from_numpy(ids) for kind, ids in part.nodes.items()}
    layers = encoder.propagate(encoder.layer0({}, nodes), {k: Neighbourhood.of(v) for k, v in part.weights.items()})
    for kind, ids in seeds.items():
        assert torch.allclose(combine(layers)[kind][: len(ids)], whole[kind][ids], atol=1e-5)


def test_a_sample_keeps_the_fanout_without_repeats_and_the_expected_sum() -> None:
    relations = relations_of(communities())
    matrix = relations.weights["user", "acted", "item"]
    seeds = {"user": np.zeros(0, np.int64), "item": np.arange(10)}
    rng, total = np.random.default_rng(0), np.zeros(10)
    for _ in range(200):
        part = sample(relations.weights, seeds, (5,), rng).weights["user", "acted", "item"]
        assert part.degree[:10].tolist() == np.minimum(matrix.degree[:10], 5).tolist()
        total += np.bincount(part.row_of, weights=part.values, minlength=part.rows)[:10] / 200
    whole = np.bincount(matrix.row_of, weights=matrix.values, minlength=matrix.rows)[:10]
    assert np.allclose(total, whole, rtol=0.05)


def test_the_same_generator_gives_the_same_sample() -> None:
    relations = relations_of(communities())
    seeds = {"user": np.arange(5), "item": np.arange(5)}
    one, two = (sample(relations.weights, seeds, (3, 2), np.random.default_rng(4)) for _ in range(2))
    assert all(np.array_equal(one.nodes[kind], two.nodes[kind]) for kind in one.nodes)
    assert all(np.array_equal(one.weights[name].values, two.weights[name].values) for name in one.weights)
