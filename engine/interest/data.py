"""Training matrices of the interest model: from a snapshot, or from a public benchmark folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.artifact import read_snapshot
from engine.errors import DataError
from engine.evaluation import Truth, shuffled_split, truth_of
from engine.interest.adjacency import Adjacency, empty, from_pairs
from engine.serving.features import FeatureRecipe, FeatureRows, feature_rows, learn_recipe
from engine.types import INTERACTION_TYPES, NO_TIME, GraphSnapshot

POSITIVE_WEIGHTS: Mapping[str, float] = {
    "VIEWED": 0.3,
    "LIKED": 1.0,
    "COMMENTED": 1.0,
    "SAVED": 1.0,
    "ADDED_TO_CART": 1.5,
    "PURCHASED": 2.0,
    "RATED": 1.0,
    "SHARED": 1.5,
}
"""Which acts count as interest, and how much; a pair of user and item takes its largest weight."""
OLDEST = 0.1
"""What is left of the weight of the oldest act under a time decay."""
SNAPSHOT_MANIFEST = "manifest.json"
"""Where a snapshot is told from a benchmark folder."""
LIKED_RATING = 3.0
"""A rating below it is no sign of interest."""


@dataclass(frozen=True, slots=True)
class InterestData:
    """What the interest model learns from; U users, I items."""

    positives: Adjacency
    """(U, I) weight of each user's interest in an item, > 0."""
    friends: Adjacency
    """(U, U) strength, symmetric."""
    follows: Adjacency
    """(U, U) 1 where the row follows the column."""
    shared: Adjacency
    """(U, I) 1 where the row shared the column; a part of the positives."""
    received: Adjacency
    """(U, I) 1 where the column was sent to the row, or opened by it, in a share."""
    masked: Adjacency
    """(U, I) 1 where the item must not be recommended: acted on or hidden."""
    user_features: FeatureRows
    item_features: FeatureRows
    user_recipe: FeatureRecipe = field(default_factory=FeatureRecipe)
    item_recipe: FeatureRecipe = field(default_factory=FeatureRecipe)
    age_days: NDArray[np.float32] | None = None
    """(E,) age of each positive's newest act before the newest of all, nan where not known; None: no time is."""

    @property
    def users(self) -> int:
        """Number of users U."""
        return self.positives.rows

    @property
    def items(self) -> int:
        """Number of items I."""
        return self.positives.columns

    def without(self, held: NDArray[np.bool_]) -> InterestData:
        """Return the data without the chosen positives (E,) and their shares; everything else stays."""
        kept = ~held
        row, column = self.positives.row_of, self.positives.indices
        shape = self.positives.shape
        gone = row[held].astype(np.int64) * shape[1] + column[held]
        key = self.shared.row_of.astype(np.int64) * shape[1] + self.shared.indices
        stays = ~np.isin(key, gone)
        masked_key = self.masked.row_of.astype(np.int64) * shape[1] + self.masked.indices
        masks = ~np.isin(masked_key, gone)
        return replace(
            self,
            positives=from_pairs(row[kept], column[kept], shape, self.positives.values[kept]),
            shared=from_pairs(self.shared.row_of[stays], self.shared.indices[stays], shape),
            masked=from_pairs(self.masked.row_of[masks], self.masked.indices[masks], shape),
            age_days=None if self.age_days is None else self.age_days[kept],
        )

    def without_texts(self) -> InterestData:
        """Return the data with no vectors of texts in the items' features; their hashed words stay."""
        rows, first = self.item_features, len(self.item_recipe.numbers)
        kept = (rows.indices < first) | (rows.indices >= first + self.item_recipe.text_width)
        of_row = np.repeat(np.arange(self.items), np.diff(rows.indptr))[kept]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(of_row, minlength=self.items))]).astype(np.int64)
        left = FeatureRows(indptr, rows.indices[kept], rows.values[kept], rows.width)
        return replace(self, item_features=left)

    def decayed(self, half_life_days: float) -> InterestData:
        """Return the data with every positive's weight halved by its age, down to `OLDEST`; an unknown age is old."""
        if self.age_days is None or not np.isfinite(half_life_days):
            return self
        fresh = np.nan_to_num(2.0 ** (-self.age_days / half_life_days), nan=0.0)
        values = (self.positives.values * np.maximum(fresh, OLDEST)).astype(np.float32)
        return replace(self, positives=replace(self.positives, values=values))


def from_any(folder: Path, seed: int = 0) -> InterestData:
    """Return the training matrices of a snapshot, or of a benchmark folder's training file.

    Raises:
        DataError: a file is missing or malformed, or there is nothing to learn from.
        ArtifactError: the snapshot is damaged.
    """
    if (folder / SNAPSHOT_MANIFEST).exists():
        return from_snapshot(read_snapshot(folder))
    return from_folder(folder, None, seed).data


def from_snapshot(
    snapshot: GraphSnapshot,
    weights: Mapping[str, float] = POSITIVE_WEIGHTS,
    recipes: Mapping[str, FeatureRecipe] | None = None,
) -> InterestData:
    """Turn a snapshot into training matrices.

    Args:
        snapshot: the export.
        weights: weight of each act that counts as interest (keys of INTERACTION_TYPES and SHARED).
        recipes: of `user` and `item`, learned on an earlier snapshot; None: learned on this one.

    Raises:
        DataError: there are no users, no items, or no act that counts.
    """
    users, items = len(snapshot.users), len(snapshot.items)
    if not users or not items:
        raise DataError(f"the snapshot has {users} users and {items} items; training needs both")
    shape = (users, items)
    acts, shares = snapshot.interactions, snapshot.shares
    weight = _act_weights(snapshot, weights)
    share_weight = np.full(len(shares), weights.get("SHARED", 0.0), dtype=np.float32)
    user = np.concatenate([acts.source, shares.source])
    item = np.concatenate([acts.target, shares.target])
    strength = np.concatenate([weight, share_weight])
    positives = _largest(user, item, strength, shape)
    when = np.concatenate([acts.columns["occurred_at_s"], shares.columns["occurred_at_s"]])
    if not len(positives):
        raise DataError("the snapshot has no interaction that counts as interest")
    seen_share = np.concatenate([snapshot.sends.source, snapshot.opens.source])
    receiver = np.concatenate([snapshot.sends.target, snapshot.opens.target])
    if recipes is None:
        recipes = {"user": learn_recipe(snapshot.users.columns), "item": learn_recipe(snapshot.items.columns)}
    user_recipe, item_recipe = recipes["user"], recipes["item"]
    return InterestData(
        positives=positives,
        friends=_both_ways(snapshot.friends.source, snapshot.friends.target, users, snapshot.friends.columns),
        follows=_ones(snapshot.follows.source, snapshot.follows.target, (users, users)),
        shared=_ones(shares.source, shares.target, shape) if weights.get("SHARED") else empty(shape),
        received=_ones(receiver, shares.target[seen_share], shape),
        masked=_ones(user, item, shape),
        user_features=feature_rows(user_recipe, snapshot.users.columns, users),
        item_features=feature_rows(item_recipe, snapshot.items.columns, items),
        user_recipe=user_recipe,
        item_recipe=item_recipe,
        age_days=_ages(user[strength > 0], item[strength > 0], when[strength > 0], shape),
    )


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A public benchmark folder."""

    data: InterestData
    validation: Truth | None
    """Items of `valid.csv`; None where the folder has none."""
    test: Truth


def from_folder(folder: Path, split: str | None = None, seed: int = 42, *, with_test: bool = True) -> Benchmark:
    """Load `train.csv`, `test.csv`, optional `valid.csv` (`user,item`), `social.csv` (`user,friend`), `items.csv`.

    Args:
        folder: the benchmark folder.
        split: None for the files' own split; `80/20` merges and cuts anew (contracts.md).
        seed: seed of the new cut.
        with_test: False: neither `test.csv` nor `valid.csv` is opened, and no truth comes back.

    Raises:
        DataError: a file is missing or malformed; the message names file, line and reason.
    """
    train = _pairs(folder / "train.csv", "user", "item")
    test = _pairs(folder / "test.csv", "user", "item") if with_test else train.iloc[:0]
    has_valid = with_test and (folder / "valid.csv").exists()
    valid = _pairs(folder / "valid.csv", "user", "item") if has_valid else train.iloc[:0]
    social = _pairs(folder / "social.csv", "user", "friend") if (folder / "social.csv").exists() else train.iloc[:0]
    items = pd.read_csv(folder / "items.csv") if (folder / "items.csv").exists() else pd.DataFrame({"item": []})
    user_ids = _universe([train.iloc[:, 0], test.iloc[:, 0], valid.iloc[:, 0], *(social[c] for c in social.columns)])
    item_ids = _universe([train.iloc[:, 1], test.iloc[:, 1], valid.iloc[:, 1], items.get("item", items.iloc[:, 0])])
    if split is not None:
        train, test = _split_anew(pd.concat([train, test]).drop_duplicates(), split, seed)
        valid = train.iloc[:0]
    shape = (len(user_ids), len(item_ids))
    user, item = user_ids.get_indexer(train.iloc[:, 0]), item_ids.get_indexer(train.iloc[:, 1])
    positives = _ones(user, item, shape)
    friends = [user_ids.get_indexer(social[column]) for column in social.columns]
    columns = {
        name: items.drop_duplicates("item").set_index("item")[name].reindex(item_ids).to_numpy()
        for name in items.columns
        if name != "item"
    }
    recipe = learn_recipe(columns)
    data = InterestData(
        positives=positives,
        friends=_both_ways(friends[0], friends[1], shape[0], {}),
        follows=empty((shape[0], shape[0])),
        shared=empty(shape),
        received=empty(shape),
        masked=positives,
        user_features=feature_rows(FeatureRecipe(), {}, shape[0]),
        item_features=feature_rows(recipe, columns, shape[1]),
        item_recipe=recipe,
    )

    def truth(frame: pd.DataFrame) -> Truth:
        return truth_of(user_ids.get_indexer(frame.iloc[:, 0]), item_ids.get_indexer(frame.iloc[:, 1]))

    return Benchmark(data, truth(valid) if len(valid) else None, truth(test))


def _act_weights(snapshot: GraphSnapshot, weights: Mapping[str, float]) -> NDArray[np.float32]:
    table = np.array([weights.get(name, 0.0) for name in INTERACTION_TYPES], dtype=np.float32)
    kind = snapshot.interactions.columns["type"]
    weight = table[kind]
    rated = kind == INTERACTION_TYPES.index("RATED")
    if rated.any():
        weight[rated & ~(snapshot.interactions.columns["rating"] >= LIKED_RATING)] = 0.0
    hidden = kind == INTERACTION_TYPES.index("HIDDEN")
    if hidden.any():  # hiding an item takes back every other sign of interest in it
        key = snapshot.interactions.source.astype(np.int64) * len(snapshot.items) + snapshot.interactions.target
        weight[np.isin(key, key[hidden])] = 0.0
    return weight


def _largest(
    user: NDArray[np.integer], item: NDArray[np.integer], weight: NDArray[np.float32], shape: tuple[int, int]
) -> Adjacency:
    """Keep the largest weight of each pair, pairs of weight 0 left out."""
    kept = weight > 0
    user, item, weight = user[kept], item[kept], weight[kept]
    order = np.lexsort((-weight, item, user))
    user, item, weight = user[order], item[order], weight[order]
    first = np.ones(len(user), dtype=bool)
    first[1:] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
    return from_pairs(user[first], item[first], shape, weight[first])


def _ages(
    user: NDArray[np.integer], item: NDArray[np.integer], when_s: NDArray[np.integer], shape: tuple[int, int]
) -> NDArray[np.float32] | None:
    """Return the age in days of each pair's newest act, pairs ascending; nan where it has no time."""
    if not (when_s != NO_TIME).any():
        return None
    key = user.astype(np.int64) * shape[1] + item
    order = np.lexsort((-when_s, key))
    first = np.ones(len(order), dtype=bool)
    first[1:] = key[order][1:] != key[order][:-1]
    newest = when_s[order][first].astype(np.float64)
    return np.where(newest == NO_TIME, np.nan, (newest.max() - newest) / 86_400.0).astype(np.float32)


def _ones(row: NDArray[np.integer], column: NDArray[np.integer], shape: tuple[int, int]) -> Adjacency:
    """Build a 0/1 matrix; repeated pairs count once."""
    matrix = from_pairs(row, column, shape)
    return replace(matrix, values=np.ones(len(matrix), dtype=np.float32))


def _both_ways(
    source: NDArray[np.integer], target: NDArray[np.integer], users: int, columns: Mapping[str, NDArray[Any]]
) -> Adjacency:
    """Build the symmetric matrix of friendships; self loops are left out, a repeated tie keeps its strongest."""
    strength = np.asarray(columns["strength"], dtype=np.float32) if "strength" in columns else np.ones(len(source))
    strength = np.where(np.isfinite(strength) & (strength > 0), strength, 1.0).astype(np.float32)
    kept = source != target
    source, target, strength = source[kept], target[kept], strength[kept]
    return _largest(
        np.concatenate([source, target]),
        np.concatenate([target, source]),
        np.concatenate([strength, strength]),
        (users, users),
    )


def _pairs(path: Path, first: str, second: str) -> pd.DataFrame:
    """Read two columns of a CSV file without gaps."""
    try:
        frame = pd.read_csv(path)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {str(error).splitlines()[0]}") from None
    missing = [name for name in (first, second) if name not in frame.columns]
    if missing:
        raise DataError(f"{path}: line 1: no column {missing[0]!r}; expected {first},{second}")
    frame = frame[[first, second]]
    gaps = np.flatnonzero(frame.isna().any(axis=1).to_numpy())
    if len(gaps):
        raise DataError(f"{path}: line {gaps[0] + 2}: a value is missing")
    return frame


def _universe(columns: list[pd.Series[Any]]) -> pd.Index[Any]:
    """Return all ids, ascending; as text if any file has text."""
    filled = [column for column in columns if len(column)]
    if any(column.dtype.kind not in "iu" for column in filled):
        raise DataError("ids in a benchmark folder are whole numbers; a file has other values")
    return pd.Index(np.unique(np.concatenate([column.to_numpy() for column in filled])))


def _split_anew(frame: pd.DataFrame, split: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    try:
        train_share, test_share = (int(part) for part in split.split("/"))
    except ValueError:
        raise DataError(f"the split {split!r} is not of the form 80/20") from None
    if train_share <= 0 or test_share <= 0 or train_share + test_share != 100:
        raise DataError(f"the parts of the split {split!r} do not make 100")
    test = shuffled_split(frame.iloc[:, 0].to_numpy(), frame.iloc[:, 1].to_numpy(), seed, test_share / 100)
    return frame[~test], frame[test]
