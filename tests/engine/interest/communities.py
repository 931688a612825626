"""A small world whose tastes are known: users and items in groups, friends and attributes inside a group."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.interest.adjacency import empty, from_pairs
from engine.interest.data import InterestData
from engine.serving.features import feature_rows, learn_recipe


def communities(users: int = 160, items: int = 80, groups: int = 4, seed: int = 0) -> InterestData:
    """Return data in which a user takes 8 items of its group and 1 of another, and has 5 friends in its group."""
    rng = np.random.default_rng(seed)
    user_group, item_group = np.arange(users) % groups, np.arange(items) % groups
    pairs = []
    for user in range(users):
        own, other = np.flatnonzero(item_group == user_group[user]), np.flatnonzero(item_group != user_group[user])
        pairs += [(user, item) for item in (*rng.choice(own, 8, replace=False), rng.choice(other))]
    user, item = np.array(pairs).T
    ties = [(u, v) for u in range(users) for v in rng.choice(np.flatnonzero(user_group == user_group[u]), 5) if u != v]
    source, target = np.unique(np.sort(np.array(ties), axis=1), axis=0).T
    friends = from_pairs(np.concatenate([source, target]), np.concatenate([target, source]), (users, users))
    positives = from_pairs(user, item, (users, items))
    columns = {"category": np.array([f"c{g}" for g in item_group], dtype=object)}
    recipe = learn_recipe(columns)
    nothing = learn_recipe({})
    return InterestData(
        positives=positives,
        friends=friends,
        follows=empty((users, users)),
        shared=empty((users, items)),
        received=empty((users, items)),
        masked=positives,
        user_features=feature_rows(nothing, {}, users),
        item_features=feature_rows(recipe, columns, items),
        item_recipe=recipe,
    )


def write_folder(data: InterestData, folder: Path, seed: int = 0) -> None:
    """Write the data as a benchmark folder, a fifth of the positives as its test file; user 0 has no train item."""
    rng = np.random.default_rng(seed)
    user, item = data.positives.row_of, data.positives.indices
    test = (rng.random(len(user)) < 0.2) | (user == 0)
    for name, chosen in (("train", ~test), ("test", test)):
        lines = [f"{u},{i}" for u, i in zip(user[chosen], item[chosen], strict=True)]
        (folder / f"{name}.csv").write_text("user,item\n" + "\n".join(lines) + "\n")
    ties = zip(data.friends.row_of, data.friends.indices, strict=True)
    (folder / "social.csv").write_text("user,friend\n" + "\n".join(f"{u},{v}" for u, v in ties) + "\n")
