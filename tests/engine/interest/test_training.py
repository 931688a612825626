"""The encoder learns known communities, repeats exactly, and embeds nodes it was not trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import TrainingError
from engine.evaluation import hit_matrix, recall_at, top_k
from engine.interest.adjacency import empty
from engine.interest.cut import make_cut
from engine.interest.data import InterestData
from engine.interest.evaluate import measure_popularity
from engine.interest.ranker import embed_without_history
from engine.interest.training import EncoderSettings, FittedEncoder, fit_encoder
from engine.serving.forward import NewEdges, embed
from tests.engine.interest.communities import communities

SETTINGS = EncoderSettings(width=16, epochs=40, steps=60, batch_users=64)


@pytest.fixture(scope="module")
def data() -> InterestData:
    return communities()


@pytest.fixture(scope="module")
def fitted(data: InterestData) -> FittedEncoder:
    torch.set_num_threads(1)
    return fit_encoder(data, SETTINGS)


def test_embeddings_are_unit_rows_and_near_their_own_group(data: InterestData, fitted: FittedEncoder) -> None:
    assert np.allclose(np.linalg.norm(fitted.user_embedding, axis=1), 1.0, atol=1e-5)
    scores = fitted.user_embedding @ fitted.item_embedding.T
    same = (np.arange(data.users) % 4)[:, None] == (np.arange(data.items) % 4)[None, :]
    assert scores[same].mean() > scores[~same].mean() + 0.4


def test_a_run_repeats_byte_for_byte(data: InterestData, fitted: FittedEncoder) -> None:
    again = fit_encoder(data, SETTINGS)
    assert again.user_embedding.tobytes() == fitted.user_embedding.tobytes()
    state, other = fitted.encoder.state_dict(), again.encoder.state_dict()
    assert all(torch.equal(state[name], other[name]) for name in state)


def test_another_seed_gives_another_model(data: InterestData, fitted: FittedEncoder) -> None:
    other = fit_encoder(data, EncoderSettings(width=16, steps=3, batch_users=64, seed=1))
    assert not np.allclose(other.user_embedding, fitted.user_embedding)


def test_a_trained_user_met_as_new_is_embedded_near_the_trained_one(data: InterestData, fitted: FittedEncoder) -> None:
    model = fitted.forward_model()
    edges = {
        "item.acted.user": NewEdges(data.positives.indptr, data.positives.indices, data.positives.values),
        "user.friend.user": NewEdges(data.friends.indptr, data.friends.indices, data.friends.values),
    }
    met = embed(model, "user", data.users, edges, None)
    assert (met * fitted.user_embedding).sum(axis=1).mean() > 0.8
    strangers = np.roll(fitted.user_embedding, 1, axis=0)
    assert (met * fitted.user_embedding).sum(axis=1).mean() > (met * strangers).sum(axis=1).mean() + 0.4


def test_users_kept_out_of_training_beat_popularity_without_a_history(data: InterestData) -> None:
    cut = make_cut(data, seed=0, cold_share=0.2)
    assert len(cut.cold) == 32
    assert not cut.data.positives.degree[cut.cold.user].any()
    encoder = fit_encoder(cut.data, SETTINGS)
    scores = embed_without_history(cut.data, encoder, cut.data.friends)[cut.cold.user] @ encoder.item_embedding.T
    recall = recall_at(hit_matrix(top_k(scores, 20), cut.cold), cut.cold.counts, 20).mean()
    assert recall > measure_popularity(cut.data, cut.cold)["recall@20"].mean() + 0.3


def test_an_item_kept_out_of_training_is_embedded_from_its_category(data: InterestData, fitted: FittedEncoder) -> None:
    model = fitted.forward_model()
    features = data.item_features.project(model.projection["item"])[:4]
    met = embed(model, "item", 4, {}, features)
    group = np.stack([fitted.item_embedding[g::4].mean(axis=0) for g in range(4)])
    assert (met @ group.T).argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_early_stopping_keeps_the_best_check(data: InterestData) -> None:
    cut = make_cut(data, seed=0)
    settings = EncoderSettings(width=16, steps=60, batch_users=64, patience=2)
    fitted = fit_encoder(cut.data, settings, cut.validation)
    best = max(fitted.history, key=lambda line: line["ndcg@20"])
    assert fitted.steps == best["step"]
    assert len(fitted.history) <= settings.checks + 4


def test_sampled_training_learns_the_communities(data: InterestData) -> None:
    settings = EncoderSettings(
        width=16, steps=60, batch_users=64, full_graph_edges=0, full_softmax_items=10, rivals=64, fanouts=(6, 4)
    )
    fitted = fit_encoder(data, settings)
    scores = fitted.user_embedding @ fitted.item_embedding.T
    same = (np.arange(data.users) % 4)[:, None] == (np.arange(data.items) % 4)[None, :]
    assert scores[same].mean() > scores[~same].mean() + 0.4


def test_a_graph_without_friends_and_features_trains(data: InterestData) -> None:
    bare = replace(data, friends=empty((160, 160)), item_features=data.user_features)
    fitted = fit_encoder(bare, EncoderSettings(width=8, steps=2))
    assert np.isfinite(fitted.user_embedding).all()
    assert [name for _, name, _ in fitted.relations.names] == ["acted", "acted"]


def test_a_loss_that_is_not_finite_stops_the_run(data: InterestData) -> None:
    with pytest.raises(TrainingError, match="not finite"):
        fit_encoder(data, EncoderSettings(width=16, steps=5, checks=5, learning_rate=float("inf")))


def test_progress_is_reported(data: InterestData) -> None:
    events: list[dict[str, object]] = []
    fit_encoder(data, EncoderSettings(width=8, steps=4, checks=2), report=events.append)
    assert [event["done"] for event in events] == [2, 4]
    assert {event["stage"] for event in events} == {"graphsage"}
