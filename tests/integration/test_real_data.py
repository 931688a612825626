"""The main job on public data as it is: import, one training job, answers. Skipped where the data is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

Kith = Callable[..., dict[str, Any]]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(560)]


def folder_of(public_data: Path, name: str) -> Path:
    if not (public_data / name).is_dir():
        pytest.skip(f"{name} is not there")
    return public_data / name


def test_likes_and_friendships(kith: Kith, public_data: Path) -> None:
    folder = folder_of(public_data, "lastfm-sociallgn")
    loaded = kith("import", folder)
    assert loaded["accepted"] == 74_267
    ended = kith("train", "--wait", "--epochs", 4)
    assert ended["state"] == "done"
    scores = ended["result"]["metrics"]["evaluation"]
    assert scores["model"]["ndcg@20"] > 1.5 * scores["popularity"]["ndcg@20"]
    answer = kith("recommend", "lastfm-sociallgn:u0", "--limit", 20)
    train = pd.read_csv(folder / "train.csv")
    known = {f"lastfm-sociallgn:i{item}" for item in train.loc[train["user"] == 0, "item"]}
    assert answer["strategy"] == "published"
    assert len(answer["items"]) == 20
    assert not known & {entry["itemId"] for entry in answer["items"]}


def test_share_events(kith: Kith, public_data: Path) -> None:
    """The last two days of the shares: the whole is minutes of training for the same code."""
    folder = folder_of(public_data, "tianchi-item-share")
    loaded = kith("import", folder)
    rows = pd.read_csv(folder / "train.csv")
    shares = rows.drop_duplicates(["inviter", "item", "timestamp"])
    assert loaded["rows"]["shares"] == len(shares)
    assert loaded["accepted"] == len(shares) + len(rows)
    ended = kith("train", "--wait", "--epochs", 2, "--since", "2022-10-23T00:00:00Z")
    assert ended["state"] == "done"
    recent = shares[shares["timestamp"] >= "2022-10-23"]["inviter"].value_counts()
    sharer = f"tianchi-item-share:u{recent.index[0]}"
    assert kith("recommend", sharer)["strategy"] == "published"
    targets = kith("share-targets", sharer, f"tianchi-item-share:i{shares['item'].iloc[-1]}")["targets"]
    voters = rows.loc[rows["inviter"] == recent.index[0], "voter"]
    assert targets
    assert {entry["userId"] for entry in targets} & {f"tianchi-item-share:u{voter}" for voter in voters}
