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
from engine.interest.cut import make_cut
from engine.interest.model import choose
from engine.interest.ranker import Ranker
from engine.interest.training import EncoderSettings
from engine.serving.blend import BlendWeights, Calibration
from engine.serving.bundle import Bundle, load, serving_arrays, serving_card
from engine.serving.scorers import Newcomer
from tests.engine.interest.communities import communities

COLD = {"graphsage": 1.0, "deep": 0.3, "circle": 0.5, "friends": 0.5, "popularity": 0.3}
WEIGHTS = BlendWeights(
    {"graphsage": 1.0, "itemitem": 0.4, "deep": 0.2, "plain": 0.1},
    COLD,
    calibration={"cold": Calibration(0.5, 0.0, -3.0)},
)


@pytest.fixture(scope="module")
def ranker() -> Ranker:
    settings = EncoderSettings(width=16, steps=40, batch_users=64)
    return choose(make_cut(communities(), seed=0, cold_share=0.2), settings).ranker


@pytest.fixture(scope="module")
def bundle(ranker: Ranker, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("model") / "m"
    _write(ranker, folder, serving=True)
    return load(folder)


def _write(ranker: Ranker, folder: Path, *, serving: bool, small: bool = False) -> None:
    data, scorers = ranker.data, ranker.scorers(ranker.data.items)
    lists = ranker.rank(np.arange(data.users, dtype=np.int32), WEIGHTS, 80, with_reasons=True)
    tables, weights = serving_arrays(scorers, small=small)
    tables |= {
        "user_embedding": ranker.user_embedding,
        "item_embedding": scorers.item_embedding,
        "influence_score": np.ones(data.users, np.float32),
        "influence_percentile": np.zeros(data.users, np.float32),
        "influence_error": np.zeros(data.users, np.float32),
        "recommended_target": lists.target,
        "recommended_score": lists.score,
        "recommended_reasons": lists.reasons,
        "similar_target": np.full((data.items, 1), -1, np.int32),
        "similar_score": np.zeros((data.items, 1), np.float32),
        "influences_target": np.full((data.users, 1), -1, np.int32),
        "influences_score": np.zeros((data.users, 1), np.float32),
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
        metrics={"serving": serving_card(scorers, WEIGHTS)} if serving else {},
    )


def _without_history(ranker: Ranker, user: int) -> Newcomer:
    """Return a user as a newcomer whose friends are known, as the graph tells them."""
    friends = ranker.data.friends.take(np.array([user]))
    items = [ranker.data.positives.take(np.array([friend])).indices for friend in friends.indices]
    return Newcomer(friends=friends.indices, strengths=friends.values, friends_items=items)


def test_a_user_without_history_gets_the_scores_that_evaluation_measures(ranker: Ranker, bundle: Bundle) -> None:
    user = int(np.flatnonzero(ranker.is_cold() & (ranker.data.friends.degree > 3))[0])
    newcomer = _without_history(ranker, user)
    wanted = ranker.cold_parts(np.array([user], dtype=np.int32))
    served = bundle.scorers.parts(newcomer)
    assert set(served) == set(wanted) == {"graphsage", "deep", "plain", "friends", "circle", "popularity"}
    assert all(np.allclose(served[name], part, atol=1e-4) for name, part in wanted.items())
    lists, strategy = bundle.recommend(newcomer, 10)
    offline = ranker.rank(np.array([user], dtype=np.int32), WEIGHTS, 10, with_reasons=True)
    assert strategy == "friends"
    assert lists.target.tolist() == offline.target.tolist()
    assert np.allclose(lists.score, offline.score, atol=1e-4)
    assert lists.reasons is not None
    assert offline.reasons is not None
    assert lists.reasons.tolist() == offline.reasons.tolist()
    assert (lists.target[0] % 4 == user % 4).mean() > 0.5


def test_item_item_scores_of_a_newcomer_equal_the_model(ranker: Ranker, bundle: Bundle) -> None:
    rows = ranker.data.positives.take(np.flatnonzero(~ranker.is_cold())[:1])
    newcomer = Newcomer(items=rows.indices, weights=rows.values)
    served = bundle.scorers.parts(newcomer)["itemitem"]
    assert np.allclose(served, ranker.models.itemitem.scores_of(rows), atol=1e-4)


def test_int8_matrices_are_loaded_as_they_were_kept(ranker: Ranker, bundle: Bundle, tmp_path: Path) -> None:
    _write(ranker, tmp_path / "m", serving=True, small=True)
    small = load(tmp_path / "m")
    newcomer = _without_history(ranker, int(np.flatnonzero(ranker.is_cold())[0]))
    whole, kept = bundle.scorers.parts(newcomer)["deep"], small.scorers.parts(newcomer)["deep"]
    assert not np.array_equal(whole, kept)
    assert np.corrcoef(whole[0], kept[0])[0, 1] > 0.99


def test_a_newcomer_with_history_gets_its_group_and_no_item_twice(bundle: Bundle) -> None:
    acted = [0, 4, 8, 12]
    lists, strategy = bundle.recommend(Newcomer(items=acted), 8, hidden=[16])
    assert strategy == "history"
    assert not {*acted, 16} & set(lists.target[0].tolist())
    assert (lists.target[0] % 4 == 0).mean() > 0.8


def test_of_a_user_of_whom_nothing_is_known_popularity_decides(ranker: Ranker, bundle: Bundle) -> None:
    lists, strategy = bundle.recommend(Newcomer(), 5)
    assert strategy == "popularity"
    assert lists.target[0].tolist() == np.argsort(-ranker.models.popular.count, kind="stable")[:5].tolist()


def test_a_new_item_is_placed_by_its_category(ranker: Ranker, bundle: Bundle) -> None:
    vector = bundle.embed_item(attributes={"category": "c2"})
    closeness = bundle.artifact.item_embedding @ vector
    assert (np.argsort(-closeness)[:10] % 4 == 2).mean() > 0.8


def test_evaluation_scores_through_the_same_functions(ranker: Ranker, bundle: Bundle) -> None:
    user = np.array([3], dtype=np.int32)
    truth: Truth = truth_of(user, np.array([0]))
    direct = ranker.rank(truth.user, WEIGHTS, 80)
    assert np.array_equal(direct.target[0], bundle.artifact.recommended.target[3])
    assert np.allclose(direct.score[0], bundle.artifact.recommended.score[3], atol=1e-5)  # in units of a deviation


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
