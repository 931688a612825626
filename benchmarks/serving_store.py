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

from benchmarks.drawn_model import VERSION, drawn_popular, ids, write_model
from engine.artifact import read_artifact
from graph import bulk, canonical, schema
from graph.connection import Graph, connect
from graph.publication import publish
from graph.server import neo4j
from graph.settings import CONSENT_PURPOSES, Settings

ACTS, RECENT_ACTS, FRIENDS, OUT_OF_STOCK = 20, 3, 10, 0.05
"""Interactions of a user, those of the last week among them, friends on average, items that cannot be shown."""
SHARERS = 0.05
"""Users who shared something within the last day, with nobody by name."""
MESSAGES, MOST_SENT_TO, OPENED = 6, 3, 0.3
"""Older shares with friends: of a user on average, their recipients at most, and how many of these opened it."""
NEWCOMERS = 1_000
"""Users whom the version does not know, with `RECENT_ACTS` likes and five friends."""
CATEGORIES, BRANDS = 20, 200
FORM = "4"
"""Of the store: one of another form is made anew."""
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
    if not whole.exists() or whole.read_text() != FORM:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        _fill(own, SIZES[size])
        whole.write_text(FORM)
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
    write_model(artifact, size.users, size.items, generator)
    with neo4j.running(neo4j.on_free_ports(settings), stop_timeout_s=600.0) as own, connect(own) as graph:
        schema.apply(graph)
        publish(graph, own, read_artifact(artifact), canonical=False)
        canonical.finish_canonical(graph)


def _write_folder(folder: Path, size: Size, generator: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    everyone = np.concatenate([ids("user", np.arange(size.users)), ids("new", np.arange(NEWCOMERS))])
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
    shown = drawn_popular(size.items, len(sharers), generator)
    shares, opens = _messages(everyone, low, high, size, generator)
    tables: dict[str, dict[str, Any]] = {
        "users": {"userId": everyone, "city": ids("city", generator.integers(0, 50, len(everyone)))},
        "items": {
            "itemId": ids("item", np.arange(size.items)),
            "kind": np.full(size.items, "product"),
            "category": ids("category", generator.integers(0, CATEGORIES, size.items)),
            "brand": ids("brand", generator.integers(0, BRANDS, size.items)),
            "priceMinor": generator.integers(100, 50_000, size.items),
            "currency": np.full(size.items, "EUR"),
            "stock": np.where(generator.random(size.items) < OUT_OF_STOCK, 0, 9),
        },
        "friends": {"userId": everyone[low], "friendId": everyone[high]},
        "interactions": {
            "eventId": np.where(recent, ids("recent", number), ids("old", number)),
            "userId": everyone[acting],
            "itemId": ids("item", drawn_popular(size.items, len(acting), generator)),
            "type": kind,
            "occurredAt": pa.array(START_MS + number, pa.timestamp("ms", "UTC")),
            "valueMinor": pa.array(np.full(len(acting), 1999), mask=~bought),
            "currency": pa.array(np.full(len(acting), "EUR"), mask=~bought),
        },
        "shares": {
            "shareId": np.concatenate([ids("share", sharers), shares["shareId"]]),
            "userId": np.concatenate([ids("user", sharers), shares["userId"]]),
            "itemId": np.concatenate([ids("item", shown), shares["itemId"]]),
            "recipientId": np.concatenate([np.full(len(sharers), ""), shares["recipientId"]]),
            "occurredAt": pa.array(
                np.concatenate([np.full(len(sharers), START_MS), shares["occurredMs"]]), pa.timestamp("ms", "UTC")
            ),
        },
        "opens": opens,
    }
    for name, columns in tables.items():
        arrays = {key: pa.array(value.tolist()) if _is_text(value) else value for key, value in columns.items()}
        pq.write_table(pa.table(arrays), folder / f"{name}.parquet")


def _is_text(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "U"


def _pairs(users: int, everyone: int, generator: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return friendships, each once: `FRIENDS` a user on average, five a newcomer."""
    half = users * FRIENDS // 2
    first = np.concatenate([generator.integers(0, users, half), np.repeat(np.arange(users, everyone), 5)])
    second = generator.integers(0, users, len(first))
    low, high = np.minimum(first, second), np.maximum(first, second)
    return np.divmod(np.unique((low * everyone + high)[low != high]), everyone)


def _messages(
    everyone: NDArray[np.str_],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    size: Size,
    generator: np.random.Generator,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns of shares with friends, one row per recipient, and of their opens."""
    user, friend = np.concatenate([low, high]), np.concatenate([high, low])
    order = np.argsort(user, kind="stable")
    user, friend = user[order], friend[order]
    begin, end = (np.searchsorted(user, np.arange(len(everyone)), side) for side in ("left", "right"))
    sender = drawn_popular(size.users, size.users * MESSAGES, generator)
    sender = sender[end[sender] > begin[sender]]
    item = drawn_popular(size.items, len(sender), generator)
    share = np.repeat(np.arange(len(sender)), generator.integers(1, MOST_SENT_TO + 1, len(sender)))
    recipient = friend[begin[sender[share]] + (generator.random(len(share)) * (end - begin)[sender[share]]).astype(int)]
    share, recipient = np.divmod(np.unique(share * len(everyone) + recipient), len(everyone))
    opened = np.flatnonzero(generator.random(len(share)) < OPENED)
    shares = {
        "shareId": ids("message", share),
        "userId": everyone[sender[share]],
        "itemId": ids("item", item[share]),
        "recipientId": everyone[recipient],
        "occurredMs": START_MS + 1_000 * share,
    }
    opens = {
        "eventId": ids("open", opened),
        "userId": everyone[recipient[opened]],
        "shareId": ids("message", share[opened]),
        "occurredAt": pa.array(START_MS + 1_000 * share[opened] + 1, pa.timestamp("ms", "UTC")),
    }
    return shares, opens
