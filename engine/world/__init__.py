"""A generated social-commerce world whose truth is known: for the demo, tests and benchmarks.

People belong to communities and mix a few tastes; a taste is a distribution over items; friendships are homophilous;
interactions follow taste and a long-tailed popularity through a funnel (view, like, save, comment, addToCart,
purchase, rate); shares travel along friendships by an independent cascade with known probabilities. Nothing in it is
copied from anywhere. The same settings give the same world.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.errors import DataError
from engine.influence import diffusion
from engine.types import EdgeProbabilities
from engine.world import behaviour, cascades, catalogue, frames, people
from engine.world.export import to_snapshot

__all__ = ["TABLES", "Truth", "World", "WorldSettings", "generate", "to_snapshot", "true_spread", "write"]

TABLES = ("users", "items", "friends", "follows", "interactions", "shares", "opens")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """Size and seed of a world."""

    users: int = 5_000
    items: int = 2_000
    events: int = 200_000
    """Interactions, shares (reshares included) and opens together, exactly."""
    seed: int = 7
    days: int = 120
    """Length of the history."""
    end_s: int = 1_790_000_000
    """Time at which the history ends, seconds since 1970-01-01 UTC; the demo gives the present."""

    def __post_init__(self) -> None:
        """Refuse sizes that no world can have."""
        if self.users < 20 or self.items < 20 or self.events < 0 or self.days < 1:
            raise DataError("a world has at least 20 users, 20 items and one day")


@dataclass(frozen=True, slots=True)
class Truth:
    """What a model could at best learn; row u belongs to the u-th row of `World.users`, i to that of `World.items`."""

    probabilities: EdgeProbabilities
    """P(u->v) that a share of u's makes friend v reshare; both directions of every friendship."""
    community: NDArray[np.int32]
    """(U,) community of each user."""
    tastes: NDArray[np.int32]
    """(U, 3) tastes that a user mixes."""
    taste_weights: NDArray[np.float64]
    """(U, 3) rows sum to 1."""
    taste_items: NDArray[np.float64]
    """(T, I) rows sum to 1: chance that someone of this taste picks the item."""

    def affinity(self, users: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return (len(users), I): the chance with which each user's next pick is each item."""
        return np.einsum("ut,uti->ui", self.taste_weights[users], self.taste_items[self.tastes[users]])


@dataclass(frozen=True, slots=True)
class World:
    """Tables in the columns of the input folders, times as UTC datetimes, and the truth behind them."""

    users: pd.DataFrame
    items: pd.DataFrame
    friends: pd.DataFrame
    follows: pd.DataFrame
    interactions: pd.DataFrame
    shares: pd.DataFrame
    """One row per recipient (or a single one without); rows of one shareId agree elsewhere."""
    opens: pd.DataFrame
    truth: Truth


def generate(settings: WorldSettings) -> World:
    """Return the world of these settings; 5,000 users and 200,000 events take a few seconds."""
    rng = np.random.default_rng(settings.seed)
    crowd = people.gather(settings.users, rng)
    goods = catalogue.stock(settings.items, crowd.taste_count, settings.end_s, settings.days, rng)
    clock = behaviour.Clock(settings.end_s, settings.days)
    roots = behaviour.visits(crowd, goods, int(settings.events * cascades.ROOTS_PER_EVENT), clock, rng)
    spread = cascades.simulate(crowd, roots, clock, settings.events // 3, rng)
    acts = behaviour.funnel(crowd, goods, spread, count=settings.events - spread.events, clock=clock, rng=rng)
    named = frames.name(settings, crowd, goods, acts=acts, shared=spread, rng=rng)
    truth = Truth(crowd.probabilities, crowd.community, crowd.tastes, crowd.taste_weights, goods.taste_items)
    return World(**named, truth=truth)


def true_spread(
    world: World, users: NDArray[np.integer], runs: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (mean, standard error) of users reached when each of `users` (row numbers) shares, under the truth.

    Raises:
        DataError: no runs, or a user that is not there.
    """
    return diffusion.simulate_each(world.truth.probabilities, users, runs, rng)


def write(world: World, folder: Path, form: str = "csv") -> None:
    """Write the world as an input folder for `kith import`: one `csv` or `parquet` file per table.

    Raises:
        DataError: another form.
    """
    writers: dict[str, Callable[[pd.DataFrame, Path], None]] = {"csv": _write_csv, "parquet": _write_parquet}
    if form not in writers:
        raise DataError(f"{form!r} is not a form; use csv or parquet")
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        writers[form](getattr(world, name), Path(folder) / f"{name}.{form}")


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False, date_format="%Y-%m-%dT%H:%M:%SZ", quoting=csv.QUOTE_MINIMAL, lineterminator="\n")


def _write_parquet(frame: pd.DataFrame, path: Path) -> None:
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)
