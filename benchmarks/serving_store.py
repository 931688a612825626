"""The shop that `kith bench serving` measures on, made once in the cache: interactions, friends, shares, a version.

Everything is drawn: items by popularity (the square of a uniform number), friends uniformly, the model's weights too,
for a read costs the same whatever the numbers are. Times age in a store that is kept, so those of the last week are
set anew before each measurement.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.artifact import read_artifact, write_artifact
from engine.serving.blend import BlendWeights, PlainModel
from engine.serving.bundle import serving_arrays, serving_card
from engine.serving.deep import DeepModel, item_numbers
from engine.serving.features import FeatureRecipe, FeatureRows
from engine.serving.forward import ForwardModel
from engine.serving.popular import PopularModel, nothing_described
from engine.serving.scorers import Scorers
from engine.types import RankedLists
from graph import bulk, schema
from graph.connection import Graph, connect
from graph.publication import publish
from graph.server import neo4j
from graph.settings import CONSENT_PURPOSES, Settings

LISTED, SIMILAR, INFLUENCED, WIDTH = 200, 20, 20, 64
HIDDEN, PAIR, FACTORS = 64, 16, 32
"""Of the deep scorer."""
BLEND = {"graphsage": 1.0, "itemitem": 0.3, "deep": 0.3, "friends": 0.1, "popularity": 0.1}
ACTS, RECENT_ACTS, FRIENDS, OUT_OF_STOCK = 20, 3, 10, 0.05
"""Interactions of a user, those of the last week among them, friends on average, items that cannot be shown."""
SHARERS = 0.05
"""Users who shared something within the last day."""
NEWCOMERS = 1_000
"""Users whom the version does not know, with `RECENT_ACTS` likes and five friends."""
CATEGORIES, BRANDS = 20, 200
VERSION = "bench"
START_MS = 1_700_000_000_000
PREPARE_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Size:
    """How large the shop is."""

    users: int
    items: int
    page_cache_mb: int
    """The store in memory, as an operator would have it."""


SIZES = {"small": Size(10_000, 10_000, 256), "full": Size(100_000, 100_000, 1_536)}


def prepared(settings: Settings, size: str) -> Settings:
    """Make the store if it is not there yet and return the settings of its home.

    Raises:
        ValueError: there is no such size.
        GraphError: the store could not be made.
    """
    if size not in SIZES:
        raise ValueError(f"size is {size!r}; choose {', '.join(SIZES)}")
    home = settings.cache / f"bench-serving-{size}"
    own = replace(
        settings,
        home=home,
        neo4j_uri="",
        neo4j_password="",
        broker_url="",
        neo4j_page_cache_mb=SIZES[size].page_cache_mb,
        consent_default=CONSENT_PURPOSES,
        signing_key="k" * 40,
    )
    whole = home / "whole"
    if not whole.exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        _fill(own, SIZES[size])
        whole.touch()
    return own


def refresh(graph: Graph) -> None:
    """Set what is recent within the last week (interactions) and the last day (shares) anew."""
    for name in ("refresh_acts", "refresh_shares"):
        graph.auto(f"benchmark.{name}", timeout_s=PREPARE_S)


def _fill(settings: Settings, size: Size) -> None:
    generator = np.random.default_rng(0)
    folder = settings.home / "folder"
    _write_folder(folder, size, generator)
    bulk.load_folder(settings, folder)
    shutil.rmtree(folder)
    artifact = settings.artifacts / VERSION
    write_model(artifact, size, generator)
    with neo4j.running(neo4j.on_free_ports(settings), stop_timeout_s=600.0) as own, connect(own) as graph:
        schema.apply(graph)
        publish(graph, own, read_artifact(artifact), canonical=False)


def _write_folder(folder: Path, size: Size, generator: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    everyone = np.concatenate([_ids("user", np.arange(size.users)), _ids("new", np.arange(NEWCOMERS))])
    kinds = np.array(["view", "like", "save", "addToCart", "purchase"])
    acting = np.concatenate(
        [np.repeat(np.arange(size.users), ACTS), np.repeat(np.arange(size.users, len(everyone)), 3)]
    )
    recent = np.concatenate([np.arange(size.users * ACTS) % ACTS < RECENT_ACTS, np.ones(3 * NEWCOMERS, bool)])
    kind = np.where(recent, "like", kinds[generator.choice(5, len(acting), p=[0.4, 0.3, 0.1, 0.1, 0.1])])
    number = np.arange(len(acting))
    bought = kind == "purchase"
    low, high = _pairs(size.users, len(everyone), generator)
    sharers = generator.choice(size.users, int(SHARERS * size.users), replace=False)
    tables: dict[str, dict[str, Any]] = {
        "users": {"userId": everyone, "city": _ids("city", generator.integers(0, 50, len(everyone)))},
        "items": {
            "itemId": _ids("item", np.arange(size.items)),
            "kind": np.full(size.items, "product"),
            "category": _ids("category", generator.integers(0, CATEGORIES, size.items)),
            "brand": _ids("brand", generator.integers(0, BRANDS, size.items)),
            "priceMinor": generator.integers(100, 50_000, size.items),
            "currency": np.full(size.items, "EUR"),
            "stock": np.where(generator.random(size.items) < OUT_OF_STOCK, 0, 9),
        },
        "friends": {"userId": everyone[low], "friendId": everyone[high]},
        "interactions": {
            "eventId": np.where(recent, _ids("recent", number), _ids("old", number)),
            "userId": everyone[acting],
            "itemId": _ids("item", _popular(size.items, len(acting), generator)),
            "type": kind,
            "occurredAt": pa.array(START_MS + number, pa.timestamp("ms", "UTC")),
            "valueMinor": pa.array(np.full(len(acting), 1999), mask=~bought),
            "currency": pa.array(np.full(len(acting), "EUR"), mask=~bought),
        },
        "shares": {
            "shareId": _ids("share", sharers),
            "userId": everyone[sharers],
            "itemId": _ids("item", _popular(size.items, len(sharers), generator)),
            "occurredAt": pa.array(np.full(len(sharers), START_MS), pa.timestamp("ms", "UTC")),
        },
    }
    for name, columns in tables.items():
        arrays = {key: pa.array(value.tolist()) if _is_text(value) else value for key, value in columns.items()}
        pq.write_table(pa.table(arrays), folder / f"{name}.parquet")


def _is_text(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "U"


def _ids(prefix: str, numbers: NDArray[np.integer]) -> NDArray[np.str_]:
    return np.char.add(prefix, numbers.astype(str))


def _popular(items: int, count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    return (generator.random(count) ** 2 * items).astype(np.int64)


def _pairs(users: int, everyone: int, generator: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return friendships, each once: `FRIENDS` a user on average, five a newcomer."""
    half = users * FRIENDS // 2
    first = np.concatenate([generator.integers(0, users, half), np.repeat(np.arange(users, everyone), 5)])
    second = generator.integers(0, users, len(first))
    low, high = np.minimum(first, second), np.maximum(first, second)
    return np.divmod(np.unique((low * everyone + high)[low != high]), everyone)


def write_model(folder: Path, size: Size, generator: np.random.Generator) -> None:
    """Write a model folder of drawn numbers, with an encoder of two rounds for newcomers."""
    users, items = size.users, size.items

    def vectors(rows: int) -> NDArray[np.float32]:
        drawn = generator.standard_normal((rows, WIDTH), dtype=np.float32)
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    def lists(rows: int, columns: int, targets: int) -> RankedLists:
        # Strides of a prime keep a row's targets apart without drawing each row by itself.
        begin = _popular(targets, rows, generator)[:, None]
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
        plain=PlainModel(vectors(WIDTH), vectors(WIDTH), 0.0),
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
    }
    write_artifact(
        folder,
        model_version=VERSION,
        snapshot_id="bench",
        code_version="bench",
        user_ids=_sorted("user", users),
        item_ids=_sorted("item", items),
        tables=tables,
        weights=weights,
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


def _sorted(prefix: str, count: int) -> NDArray[np.object_]:
    """Return ids ascending, as model folders have them; which row is whose does not matter here."""
    return np.sort(_ids(prefix, np.arange(count))).astype(object)
