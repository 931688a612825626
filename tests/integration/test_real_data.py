"""The main job on public data: imported, one training job, answers; the long forms take all. Skipped without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

Kith = Callable[..., dict[str, Any]]
Cypher = Callable[..., list[dict[str, Any]]]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(560)]


def folder_of(public_data: Path, name: str) -> Path:
    if not (public_data / name).is_dir():
        pytest.skip(f"{name} is not there")
    return public_data / name


BUSIEST = 120


@pytest.mark.parametrize(
    ("name", "likes", "friendships", "lift"),
    [
        pytest.param("lastfm-busiest", 4_726, 1_385, 1.0, marks=pytest.mark.long),
        pytest.param("lastfm-sociallgn", 74_267, 12_717, 1.5, marks=pytest.mark.long),
    ],
)
def test_likes_and_friendships(
    kith: Kith,
    cypher: Cypher,
    public_data: Path,
    tmp_path: Path,
    name: str,
    likes: int,
    friendships: int,
    lift: float,
) -> None:
    """All users, or those with the most friends; `lift`: the model ranks so many times as well as popularity."""
    folder = folder_of(public_data, "lastfm-sociallgn")
    social, train = pd.read_csv(folder / "social.csv"), pd.read_csv(folder / "train.csv")
    friends = social["user"].value_counts().sort_index()
    busiest = friends.sort_values(ascending=False, kind="stable").index[:BUSIEST]
    if folder.name != name:
        folder = tmp_path / name
        folder.mkdir()
        train[train["user"].isin(busiest)].to_csv(folder / "train.csv", index=False)
        social[social.isin(set(busiest)).all(axis="columns")].to_csv(folder / "social.csv", index=False)
    loaded = kith("import", folder)
    assert (loaded["accepted"], loaded["quarantined"]) == (likes, 0)
    again = kith("import", folder)
    assert (again["accepted"], again["duplicates"]) == (0, likes)
    found = "MATCH (u:User)-[r]->() WHERE u.userId STARTS WITH $name RETURN type(r) AS t, count(*) AS n ORDER BY t"
    assert cypher(found, name=name) == [{"t": "FRIEND", "n": friendships}, {"t": "LIKED", "n": likes}]
    ended = kith("train", "--wait", "--epochs", 2)
    assert ended["state"] == "done"
    scores = ended["result"]["metrics"]["evaluation"]
    assert scores["model"]["ndcg@20"] > lift * scores["popularity"]["ndcg@20"]
    answer = kith("recommend", f"{name}:u{busiest[0]}", "--limit", 20)
    known = {f"{name}:i{item}" for item in train.loc[train["user"] == busiest[0], "item"]}
    assert answer["strategy"] == "published"
    assert len(answer["items"]) == 20
    assert not known & {entry["itemId"] for entry in answer["items"]}


@pytest.mark.long
def test_share_events(kith: Kith, public_data: Path, tmp_path: Path) -> None:
    """All are imported; trained on is who is near the busiest inviters (the whole takes minutes)."""
    folder = folder_of(public_data, "tianchi-item-share")
    rows = pd.read_csv(folder / "train.csv")
    loaded = kith("import", folder)
    shares = rows.drop_duplicates(["inviter", "item", "timestamp"])
    assert loaded["rows"]["shares"] == len(shares)
    assert loaded["accepted"] == len(shares) + len(rows)
    busiest = rows["inviter"].value_counts().index[:40]
    seeds = tmp_path / "seeds"
    seeds.write_text("".join(f"tianchi-item-share:u{inviter}\n" for inviter in busiest))
    ended = kith("train", "--wait", "--epochs", 2, "--seeds", seeds, "--hops", 1)
    assert ended["state"] == "done"
    sharer = f"tianchi-item-share:u{busiest[0]}"
    assert kith("recommend", sharer)["strategy"] == "published"
    targets = kith("share-targets", sharer, f"tianchi-item-share:i{shares['item'].iloc[-1]}")["targets"]
    voters = rows.loc[rows["inviter"] == busiest[0], "voter"]
    assert targets
    assert {entry["userId"] for entry in targets} & {f"tianchi-item-share:u{voter}" for voter in voters}
