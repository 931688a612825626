"""A loaded model serves newcomers with the scores that evaluation measured, and loads neither torch nor numba."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.artifact import write_artifact
from engine.errors import ArtifactError
from engine.evaluation import Truth, truth_of
from engine.interest import itemitem
from engine.interest.plain import fit_plain
from engine.interest.ranker import Ranker, build_ranker
from engine.interest.training import EncoderSettings, fit_encoder
from engine.serving.blend import BlendWeights
from engine.serving.bundle import Bundle, Newcomer, load, serving_arrays
from tests.engine.interest.communities import communities

WEIGHTS = BlendWeights(
    {"graphsage": 1.0, "itemitem": 0.4, "plain": 0.1}, {"graphsage": 1.0, "plain": 0.2, "popularity": 0.3}
)


@pytest.fixture(scope="module")
def ranker() -> Ranker:
    data = communities()
    encoder = fit_encoder(data, EncoderSettings(width=16, steps=40, batch_users=64))
    plain = fit_plain(encoder.user_embedding, encoder.item_embedding, data.positives)
    return build_ranker(data, encoder, itemitem.fit(data.positives, 5.0), plain)


@pytest.fixture(scope="module")
def bundle(ranker: Ranker, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("model") / "m"
    _write(ranker, folder, serving=True)
    return load(folder)


def _write(ranker: Ranker, folder: Path, *, serving: bool) -> None:
    data, forward = ranker.data, ranker.encoder.forward_model()
    lists = ranker.rank(np.arange(data.users, dtype=np.int32), WEIGHTS, 80, with_reasons=True)
    neighbours = ranker.itemitem.neighbours(data.items, positive=False)
    tables, weights = serving_arrays(forward, ranker.plain, ranker.item_count, neighbours)
    tables |= {
        "user_embedding": ranker.user_embedding,
        "item_embedding": ranker.encoder.item_embedding,
        "influence_score": np.ones(data.users, np.float32),
        "influence_percentile": np.zeros(data.users, np.float32),
        "recommended_target": lists.target,
        "recommended_score": lists.score,
        "recommended_reasons": lists.reasons,
        "similar_target": neighbours.target,
        "similar_score": neighbours.score,
        "influences_target": np.full((data.users, 1), -1, np.int32),
        "influences_score": np.zeros((data.users, 1), np.float32),
    }
    card = {
        "blend": {"warm": dict(WEIGHTS.warm), "cold": dict(WEIGHTS.cold)},
        "rounds": 2,
        "relations": sorted(forward.weights),
        "projections": sorted(forward.projection),
        "recipes": {"user": data.user_recipe.to_json(), "item": data.item_recipe.to_json()},
    }
    write_artifact(
        folder,
        model_version="m",
        snapshot_id="s",
        code_version="0",
        user_ids=np.array([f"u{i:03}" for i in range(data.users)], dtype=object),
        item_ids=np.array([f"i{i:03}" for i in range(data.items)], dtype=object),
        tables=tables,
        weights=weights,
        metrics={"serving": card} if serving else {},
    )


def test_a_user_without_history_gets_the_scores_that_evaluation_measures(ranker: Ranker, bundle: Bundle) -> None:
    friends = ranker.data.friends
    user = 11
    mine = friends.indices[friends.indptr[user] : friends.indptr[user + 1]]
    assert np.allclose(bundle.embed_user(friend_indices=mine), ranker.cold_embedding[user], atol=1e-5)
    lists, strategy = bundle.recommend(Newcomer(friends=mine), 10)
    parts = {k: v for k, v in ranker.cold_parts(np.array([user], dtype=np.int32)).items() if k != "friends"}
    served = bundle._parts(Newcomer(friends=mine), bundle.embed_user(friend_indices=mine)[None, :])
    assert strategy == "friends"
    assert all(np.allclose(served[name], part, atol=1e-4) for name, part in parts.items())
    assert (lists.target[0] % 4 == user % 4).mean() > 0.5


def test_item_item_scores_of_a_newcomer_equal_the_model(ranker: Ranker, bundle: Bundle) -> None:
    rows = ranker.data.positives.take(np.array([5]))
    newcomer = Newcomer(items=rows.indices, weights=rows.values)
    served = bundle._parts(newcomer, bundle.embed_user(rows.indices, rows.values)[None, :])["itemitem"]
    assert np.allclose(served, ranker.itemitem.scores_of(rows), atol=1e-4)


def test_a_newcomer_with_history_gets_its_group_and_no_item_twice(bundle: Bundle) -> None:
    acted = [0, 4, 8, 12]
    lists, strategy = bundle.recommend(Newcomer(items=acted), 8, hidden=[16])
    assert strategy == "history"
    assert not {*acted, 16} & set(lists.target[0].tolist())
    assert (lists.target[0] % 4 == 0).mean() > 0.8


def test_of_a_user_of_whom_nothing_is_known_popularity_decides(ranker: Ranker, bundle: Bundle) -> None:
    lists, strategy = bundle.recommend(Newcomer(), 5)
    assert strategy == "popularity"
    assert lists.target[0].tolist() == np.argsort(-ranker.item_count, kind="stable")[:5].tolist()


def test_a_new_item_is_placed_by_its_category(ranker: Ranker, bundle: Bundle) -> None:
    vector = bundle.embed_item(attributes={"category": "c2"})
    closeness = bundle.artifact.item_embedding @ vector
    assert (np.argsort(-closeness)[:10] % 4 == 2).mean() > 0.8


def test_evaluation_scores_through_the_same_functions(ranker: Ranker, bundle: Bundle) -> None:
    user = np.array([3], dtype=np.int32)
    truth: Truth = truth_of(user, np.array([0]))
    direct = ranker.rank(truth.user, WEIGHTS, 80)
    assert np.array_equal(direct.target[0], bundle.artifact.recommended.target[3])
    assert np.allclose(direct.score[0], bundle.artifact.recommended.score[3])


def test_a_model_that_cannot_serve_newcomers_is_refused(ranker: Ranker, tmp_path: Path) -> None:
    _write(ranker, tmp_path / "m", serving=False)
    with pytest.raises(ArtifactError, match="newcomers"):
        load(tmp_path / "m")


def test_serving_loads_neither_torch_nor_numba() -> None:
    code = (
        "import sys, engine.serving.bundle, engine.serving.live, engine.serving.sharing;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'numba', 'torch_geometric')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
