"""A model folder of drawn numbers: as large as a trained one, and as costly to serve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.artifact import write_artifact
from engine.serving.blend import BlendWeights, PlainModel
from engine.serving.bundle import serving_arrays, serving_card
from engine.serving.deep import DeepModel, item_numbers
from engine.serving.features import FeatureRecipe, FeatureRows
from engine.serving.forward import ForwardModel
from engine.serving.popular import PopularModel, nothing_described
from engine.serving.scorers import Scorers
from engine.serving.sharetarget.model import RankModel
from engine.serving.sharetarget.population import ALIKE, COUNTS, STRANGERS, Population
from engine.serving.sharetarget.ranker import Ranker
from engine.serving.sharetarget.signals import COLUMNS
from engine.types import RankedLists

LISTED, SIMILAR, INFLUENCED, WIDTH = 200, 20, 20, 64
HIDDEN, PAIR, FACTORS = 64, 16, 32
"""Of the deep scorer."""
BLEND = {"graphsage": 1.0, "itemitem": 0.3, "deep": 0.3, "friends": 0.1, "popularity": 0.1}
NETWORKS, RANK_HIDDEN, RANK_LAST, ACTIVE = 3, 32, 16, 3 * STRANGERS
"""Of the ranker of share targets."""
VERSION = "bench"


def write_model(folder: Path, users: int, items: int, generator: np.random.Generator) -> None:
    """Write the folder, with an encoder of two rounds for newcomers and a ranker of share targets."""

    def vectors(rows: int) -> NDArray[np.float32]:
        drawn = generator.standard_normal((rows, WIDTH), dtype=np.float32)
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    def lists(rows: int, columns: int, targets: int) -> RankedLists:
        # Strides of a prime keep a row's targets apart without drawing each row by itself.
        begin = drawn_popular(targets, rows, generator)[:, None]
        target = (begin + 7_919 * np.arange(columns)) % targets
        score = np.linspace(1.0, 0.2, columns, dtype=np.float32)
        return RankedLists(target.astype(np.int32), np.tile(score, (rows, 1)))

    relations = {"item.acted.user": items, "user.friend.user": users, "user.acted.item": users}
    forward = ForwardModel(
        layers={"user": [vectors(users), vectors(users)], "item": [vectors(items), vectors(items)]},
        projection={},
        weights={
            name: [(vectors(WIDTH), np.zeros(WIDTH, np.float32), vectors(WIDTH)) for _ in range(2)]
            for name in relations
        },
        source_degree={name: np.full(count, 10.0, np.float32) for name, count in relations.items()},
    )
    similar, listed, influenced = (
        lists(items, SIMILAR, items), lists(users, LISTED, items), lists(users, INFLUENCED, users),
    )  # fmt: skip
    embedding, count = vectors(items), np.ones(items, np.float32)
    deep = _drawn_deep(generator)
    scorers = Scorers(
        item_embedding=embedding,
        forward=forward,
        recipes={kind: FeatureRecipe() for kind in ("user", "item")},
        plain=PlainModel(vectors(1)[0], vectors(1)[0], 0.0),
        deep=deep,
        item_towers=deep.tower("item", item_numbers(embedding, count), None),
        popular=PopularModel(count, np.zeros(items, np.float32), nothing_described(0, items)),
        itemitem=FeatureRows(
            np.arange(items + 1, dtype=np.int64) * SIMILAR, similar.target.ravel(), similar.score.ravel(), items
        ),
        item_scale=count,
        ties=None,
        user_sizes=np.ones((users, 2), np.int32),
    )
    tables, weights = serving_arrays(scorers)
    tables |= {"user_embedding": vectors(users), "item_embedding": embedding}
    for name, each in {"recommended": listed, "similar": similar, "influences": influenced}.items():
        tables |= {f"{name}_target": each.target, f"{name}_score": each.score}
    tables |= {
        "recommended_reasons": np.tile(np.array([0, 1], np.uint8), (users, LISTED, 1)),
        "influence_score": generator.random(users, np.float32),
        "influence_percentile": generator.random(users, np.float32) * 100,
        "influence_error": generator.random(users, np.float32),
    }
    user_ids = sorted_ids("user", users)
    share_tables, share_weights = _drawn_ranker(user_ids, generator).to_folder()
    write_artifact(
        folder,
        model_version=VERSION,
        snapshot_id="bench",
        code_version="bench",
        user_ids=user_ids,
        item_ids=sorted_ids("item", items),
        tables=tables | share_tables,
        weights=weights | share_weights,
        metrics={"serving": serving_card(scorers, BlendWeights(BLEND, BLEND))},
    )


def _drawn_deep(generator: np.random.Generator) -> DeepModel:
    """Return a deep scorer of the size that training makes."""
    weights: dict[str, NDArray[np.float32]] = {"pair.w": np.ones(PAIR, np.float32), "pair.b": np.zeros(1, np.float32)}
    for side, numbers in (("user", WIDTH + 2), ("item", WIDTH + 1)):
        shapes = {"w1": (numbers, HIDDEN), "e": (0, HIDDEN), "b1": (HIDDEN,), "w2": (HIDDEN, PAIR), "b2": (PAIR,)}
        for name, shape in {**shapes, "g": (HIDDEN, FACTORS)}.items():
            weights[f"{side}.{name}"] = generator.standard_normal(shape, dtype=np.float32)
    return DeepModel(weights)


def _drawn_ranker(user_ids: NDArray[np.object_], generator: np.random.Generator) -> Ranker:
    users, width = len(user_ids), len(COLUMNS)

    def drawn(*shape: int) -> NDArray[np.float32]:
        return generator.standard_normal(shape, dtype=np.float32)

    shapes = {
        "w": (width,), "A": (width, RANK_HIDDEN), "a": (RANK_HIDDEN,), "B": (RANK_HIDDEN, RANK_LAST),
        "b": (RANK_LAST,), "c": (RANK_LAST,),
    }  # fmt: skip
    networks = tuple({name: drawn(*shape) for name, shape in shapes.items()} for _ in range(NETWORKS))
    model = RankModel(np.zeros(width, np.float32), np.ones(width, np.float32), drawn(width), networks)
    people = Population(
        counts=generator.poisson(3.0, (users, len(COUNTS))).astype(np.float32),
        sends=drawn(users, WIDTH) / 8,
        receives=drawn(users, WIDTH) / 8,
        nearest=generator.integers(0, users, (users, STRANGERS)),
        alike=generator.integers(0, users, (users, ALIKE)),
        active=generator.choice(users, min(ACTIVE, users), replace=False),
    )
    return Ranker(model, people, user_ids)


def ids(prefix: str, numbers: NDArray[np.integer]) -> NDArray[np.str_]:
    """Return an id for each number."""
    return np.char.add(prefix, numbers.astype(str))


def sorted_ids(prefix: str, count: int) -> NDArray[np.object_]:
    """Return ids ascending, as model folders have them; which row is whose does not matter here."""
    return np.sort(ids(prefix, np.arange(count))).astype(object)


def drawn_popular(targets: int, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return `count` of so many targets, the first ones more often."""
    return (generator.random(count) ** 2 * targets).astype(np.int64)
