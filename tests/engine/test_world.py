from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine import artifact
from engine import world as worlds
from engine.errors import DataError
from engine.world import TABLES, WorldSettings, generate

SMALL = WorldSettings(users=600, items=300, events=20_000, seed=3)


@pytest.fixture(scope="module")
def world() -> worlds.World:
    return generate(SMALL)


def test_the_columns_are_those_of_the_input_folders(world):
    assert {"userId", "createdAt", "consent"} <= set(world.users)
    assert {"itemId", "kind", "title", "description", "category", "brand", "priceMinor", "currency", "rating"} <= set(
        world.items
    )
    assert list(world.friends) == ["userId", "friendId", "since", "strength"]
    assert list(world.follows) == ["userId", "friendId", "since"]
    assert list(world.interactions) == [
        "eventId", "userId", "itemId", "type", "occurredAt", "valueMinor", "currency", "rating",
    ]  # fmt: skip
    assert {"shareId", "userId", "itemId", "occurredAt", "channel", "parentShareId", "recipientId"} <= set(world.shares)
    assert list(world.opens) == ["eventId", "userId", "shareId", "occurredAt"]


def test_sizes_are_as_asked(world):
    assert (len(world.users), len(world.items)) == (SMALL.users, SMALL.items)
    assert len(world.interactions) + world.shares["shareId"].nunique() + len(world.opens) == SMALL.events


@pytest.mark.parametrize("events", [0, 1, 57])
def test_a_world_of_few_events_has_exactly_those(events):
    few = generate(replace(SMALL, events=events))
    assert len(few.interactions) + few.shares["shareId"].nunique() + len(few.opens) == events


def test_the_same_seed_gives_the_same_world_and_another_another(world):
    again, other = generate(SMALL), generate(replace(SMALL, seed=4))
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(world, name), getattr(again, name))
    assert not world.interactions.equals(other.interactions)


def test_every_reference_exists_and_ids_are_unique(world):
    users, items, shares = set(world.users["userId"]), set(world.items["itemId"]), set(world.shares["shareId"])
    for frame in (world.friends, world.follows, world.interactions, world.shares, world.opens):
        assert set(frame["userId"]) <= users
    assert set(world.friends["friendId"]) | set(world.follows["friendId"]) <= users
    assert set(world.shares["recipientId"].dropna()) <= users
    assert set(world.shares["parentShareId"].dropna()) <= shares
    assert set(world.opens["shareId"]) <= shares
    assert set(world.interactions["itemId"]) | set(world.shares["itemId"]) <= items
    assert world.users["userId"].is_unique
    assert world.items["itemId"].is_unique
    assert world.interactions["eventId"].is_unique
    assert world.opens["eventId"].is_unique
    assert list(world.users["userId"]) == sorted(world.users["userId"])


def test_friendships_are_stored_once_smaller_id_first(world):
    assert (world.friends["userId"] < world.friends["friendId"]).all()
    assert not world.friends.duplicated(["userId", "friendId"]).any()
    assert world.friends["strength"].between(0.01, 1).all()


def test_friends_are_alike(world):
    community = pd.Series(world.truth.community, index=world.users["userId"])
    same = community[world.friends["userId"]].to_numpy() == community[world.friends["friendId"]].to_numpy()
    by_chance = (community.value_counts(normalize=True) ** 2).sum()
    assert same.mean() > 2 * by_chance


def test_everything_happens_within_the_history_and_in_order(world):
    begin = pd.Timestamp(SMALL.end_s, unit="s", tz="UTC") - pd.Timedelta(days=SMALL.days)
    end = pd.Timestamp(SMALL.end_s, unit="s", tz="UTC")
    for frame in (world.interactions, world.shares, world.opens):
        assert frame["occurredAt"].between(begin, end).all()
    created = world.items.set_index("itemId")["createdAt"]
    assert (world.interactions["occurredAt"] > created[world.interactions["itemId"]].to_numpy()).all()
    at = world.shares.drop_duplicates("shareId").set_index("shareId")["occurredAt"]
    children = world.shares.dropna(subset=["parentShareId"])
    assert (at[children["shareId"]].to_numpy() > at[children["parentShareId"]].to_numpy()).all()
    assert (world.opens["occurredAt"].to_numpy() > at[world.opens["shareId"]].to_numpy()).all()


def test_the_rows_of_one_share_agree(world):
    rest = world.shares.drop(columns="recipientId")
    assert len(rest.drop_duplicates()) == rest["shareId"].nunique()
    assert not world.shares.duplicated(["shareId", "recipientId"]).any()


def test_a_reshare_comes_from_a_friend_who_was_sent_the_same_item_and_opened_it(world):
    heads = world.shares.drop_duplicates("shareId").set_index("shareId")
    children = heads.dropna(subset=["parentShareId"])
    assert len(children) > 50
    parents = heads.loc[children["parentShareId"]]
    assert (parents["itemId"].to_numpy() == children["itemId"].to_numpy()).all()
    friends = set(zip(world.friends["userId"], world.friends["friendId"], strict=True))
    pairs = zip(parents["userId"], children["userId"], strict=True)
    assert all((min(p), max(p)) in friends for p in pairs)
    reshared = set(zip(children["parentShareId"], children["userId"], strict=True))
    assert reshared <= set(zip(world.shares["shareId"], world.shares["recipientId"], strict=True))
    assert reshared <= set(zip(world.opens["shareId"], world.opens["userId"], strict=True))


def test_beyond_views_nothing_happens_twice_to_a_pair(world):
    acts = world.interactions[world.interactions["type"] != "view"]
    assert not acts.duplicated(["userId", "itemId", "type"]).any()
    counts = world.interactions["type"].value_counts()
    assert set(counts.index) == {"view", "like", "comment", "save", "addToCart", "purchase", "rate"}
    assert counts["view"] > counts["like"] > counts["purchase"] > counts["rate"] > 0


def test_purchases_carry_the_price_and_ratings_their_stars(world):
    price = world.items.set_index("itemId")["priceMinor"]
    bought = world.interactions[world.interactions["type"] == "purchase"]
    assert (bought["valueMinor"].to_numpy() == price[bought["itemId"]].to_numpy()).all()
    assert (bought["currency"] == "EUR").all()
    rated = world.interactions["type"] == "rate"
    assert world.interactions.loc[rated, "rating"].between(0, 5).all()
    assert world.interactions.loc[~rated, "rating"].isna().all()


def test_some_users_and_some_items_are_new(world):
    assert 1 <= len(set(world.users["userId"]) - set(world.interactions["userId"])) < 60
    latest = world.items["createdAt"] > pd.Timestamp(SMALL.end_s, unit="s", tz="UTC") - pd.Timedelta(days=2)
    assert latest.sum() == 3
    assert not set(world.items.loc[latest, "itemId"]) & set(world.interactions["itemId"])


def test_shares_follow_the_true_probabilities():
    """Reshares of root shares are counted per sharer; u's n shares to friends v should yield sum of n P(u->v)."""
    loud = generate(replace(SMALL, events=200_000))
    heads = loud.shares.drop_duplicates("shareId").set_index("shareId")
    row = pd.Series(np.arange(SMALL.users), index=loud.users["userId"])
    truth = loud.truth.probabilities
    total = np.bincount(truth.source, truth.probability, SMALL.users)
    roots = heads[heads["parentShareId"].isna()]
    expected = total[row[roots["userId"]]].sum()
    children = heads["parentShareId"].isin(roots.index).sum()
    # A little fewer: a friend may already be in the cascade, and the clock may end first.
    assert 0.85 * expected < children < 1.03 * expected


def test_affinity_is_the_chance_of_the_next_pick(world):
    affinity = world.truth.affinity(np.arange(SMALL.users))
    assert affinity.shape == (SMALL.users, SMALL.items)
    np.testing.assert_allclose(affinity.sum(axis=1), 1.0)
    row = pd.Series(np.arange(SMALL.users), index=world.users["userId"])
    column = pd.Series(np.arange(SMALL.items), index=world.items["itemId"])
    seen = affinity[row[world.interactions["userId"]], column[world.interactions["itemId"]]]
    assert seen.mean() > 3 / SMALL.items


def test_taste_predicts_better_than_popularity(world):
    """Of a held-out fifth of the pairs: the truth, which a good model approaches, ranks far above popularity."""
    pairs = world.interactions[["userId", "itemId"]].drop_duplicates()
    user = pairs["userId"].str[1:].astype(int).to_numpy()
    item = pairs["itemId"].str[1:].astype(int).to_numpy()
    held = np.random.default_rng(0).random(len(pairs)) < 0.2
    train, test = (np.zeros((SMALL.users, SMALL.items), bool) for _ in range(2))
    train[user[~held], item[~held]], test[user[held], item[held]] = True, True

    def recall(score: np.ndarray) -> float:
        top = np.argsort(np.where(train, np.inf, -score), axis=1)[:, :20]
        return float(np.take_along_axis(test, top, axis=1).sum() / test.sum())

    popular = recall(np.tile(train.sum(axis=0, dtype=float), (SMALL.users, 1)))
    assert recall(world.truth.affinity(np.arange(SMALL.users))) > 1.5 * popular


def test_true_spread_is_at_least_the_user_alone(world):
    mean, error = worlds.true_spread(world, np.arange(20), 200, np.random.default_rng(1))
    assert mean.shape == error.shape == (20,)
    assert (mean >= 1).all()
    silent = np.setdiff1d(np.arange(SMALL.users), world.truth.probabilities.source)
    if len(silent):
        assert worlds.true_spread(world, silent[:1], 10, np.random.default_rng(1))[0][0] == 1


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_folder_holds_what_the_world_holds(world, tmp_path, form):
    worlds.write(world, tmp_path, form)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{name}.{form}" for name in TABLES)
    read = pd.read_csv if form == "csv" else pd.read_parquet
    for name in TABLES:
        back, frame = read(tmp_path / f"{name}.{form}"), getattr(world, name)
        assert list(back) == list(frame)
        assert len(back) == len(frame)
        for time in ("occurredAt", "since", "createdAt"):
            if time in frame:
                assert (pd.to_datetime(back[time], utc=True).to_numpy() == frame[time].to_numpy()).all()
    assert list(read(tmp_path / f"items.{form}")["title"]) == list(world.items["title"])


def test_impossible_settings_and_forms_are_refused(world, tmp_path):
    with pytest.raises(DataError):
        WorldSettings(users=3)
    with pytest.raises(DataError):
        worlds.write(world, tmp_path, "xml")


def test_the_snapshot_holds_what_an_import_and_export_would(world, tmp_path):
    snapshot = worlds.to_snapshot(world)
    views = world.interactions[world.interactions["type"] == "view"]
    acts = snapshot.interactions.columns
    assert acts["count"][acts["type"] == 0].sum() == len(views)
    assert (acts["type"] == 0).sum() == len(views.drop_duplicates(["userId", "itemId"]))
    assert len(snapshot.interactions) - (acts["type"] == 0).sum() == len(world.interactions) - len(views)
    assert len(snapshot.sends) == world.shares["recipientId"].notna().sum()
    parent, depth = snapshot.shares.columns["parent"], snapshot.shares.columns["depth"]
    assert (depth[parent >= 0] == depth[parent[parent >= 0]] + 1).all()
    assert (depth[parent < 0] == 0).all()
    artifact.write_snapshot(snapshot, tmp_path / "snapshot")
    assert artifact.read_snapshot(tmp_path / "snapshot").snapshot_id == snapshot.snapshot_id
    assert worlds.to_snapshot(generate(SMALL)).snapshot_id == snapshot.snapshot_id
