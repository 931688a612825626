"""Training matrices from a snapshot made by hand, and from benchmark folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from engine.interest.data import from_folder, from_snapshot
from engine.types import INTERACTION_TYPES, Edges, GraphSnapshot, Nodes


def edges(pairs: list[tuple[int, int]], **columns: np.ndarray) -> Edges:
    array = np.array(pairs, dtype=np.int32).reshape(-1, 2)
    return Edges(array[:, 0], array[:, 1], columns)


def snapshot(acts: list[tuple[int, int, str, float]]) -> GraphSnapshot:
    """Three users, four items; user 0 - 1 friends, 2 follows 0, user 1 shared item 3 to user 2."""
    kinds = np.array([INTERACTION_TYPES.index(kind) for *_, kind, _ in acts], dtype=np.int8)
    return GraphSnapshot(
        snapshot_id="s",
        watermark_s=0,
        users=Nodes(np.array(["a", "b", "c"], dtype=object)),
        items=Nodes(np.array(["w", "x", "y", "z"], dtype=object), {"price": np.array([1.0, 2.0, 3.0, np.nan])}),
        interactions=edges(
            [(u, i) for u, i, *_ in acts],
            type=kinds,
            rating=np.array([r for *_, r in acts], dtype=np.float32),
            occurred_at_s=np.zeros(len(acts), np.int64),
            count=np.ones(len(acts), np.int32),
        ),
        friends=edges([(0, 1)], strength=np.array([0.5], np.float32), since_s=np.array([-1])),
        follows=edges([(2, 0)], since_s=np.array([-1])),
        shares=edges([(1, 3)], occurred_at_s=np.array([5]), parent=np.array([-1]), depth=np.array([0])),
        sends=edges([(0, 2)]),
        opens=edges([]),
        share_ids=np.array(["sh"], dtype=object),
    )


NAN = float("nan")


def test_a_pair_takes_its_largest_weight_and_low_ratings_and_hidden_items_count_nothing() -> None:
    acts = [
        (0, 0, "VIEWED", NAN), (0, 0, "PURCHASED", NAN), (0, 1, "RATED", 2.0), (0, 2, "RATED", 4.5),
        (1, 1, "LIKED", NAN), (1, 1, "HIDDEN", NAN), (2, 2, "VIEWED", NAN),
    ]  # fmt: skip
    data = from_snapshot(snapshot(acts))
    assert np.allclose(data.positives.dense(), [[2.0, 0, 1.0, 0], [0, 0, 0, 1.5], [0, 0, 0.3, 0]])
    assert data.masked.dense().tolist() == [[1, 1, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]]
    assert data.friends.dense().tolist() == [[0, 0.5, 0], [0.5, 0, 0], [0, 0, 0]]
    assert data.follows.dense().tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert np.argwhere(data.shared.dense()).tolist() == [[1, 3]]
    assert np.argwhere(data.received.dense()).tolist() == [[2, 3]]
    assert list(data.item_recipe.numbers) == ["price"]


def test_what_is_held_out_leaves_shares_and_masks_too() -> None:
    data = from_snapshot(snapshot([(0, 0, "LIKED", NAN)]))
    cut = data.without(np.array([False, True]))
    assert np.argwhere(cut.positives.dense()).tolist() == [[0, 0]]
    assert not len(cut.shared)
    assert np.argwhere(cut.masked.dense()).tolist() == [[0, 0]]


def test_a_snapshot_with_nothing_to_learn_is_refused() -> None:
    with pytest.raises(DataError, match="interest"):
        from_snapshot(snapshot([(0, 0, "HIDDEN", NAN)]), {"LIKED": 1.0})


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def test_a_folder_with_gaps_in_its_ids_is_renumbered(tmp_path: Path) -> None:
    folder = write(
        tmp_path, train="user,item\n7,30\n3,10\n7,10\n", test="user,item\n3,99\n", social="user,friend\n3,7\n7,3\n3,3\n"
    )
    bench = from_folder(folder)
    assert bench.data.positives.dense().tolist() == [[1, 0, 0], [1, 1, 0]]
    assert bench.data.friends.dense().tolist() == [[0, 1], [1, 0]]
    assert bench.test.item.tolist() == [2]
    assert bench.validation is None


def test_a_new_split_merges_and_cuts_anew(tmp_path: Path) -> None:
    train = "user,item\n" + "".join(f"1,{i}\n" for i in range(8))
    bench = from_folder(write(tmp_path, train=train, test="user,item\n1,8\n1,9\n"), "80/20", 42)
    assert len(bench.data.positives) == 8
    assert bench.test.counts.tolist() == [2]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"train": "user,item\n1,2\n"}, "test.csv: there is no such file"),
        ({"train": "user,thing\n1,2\n", "test": "user,item\n1,2\n"}, "train.csv: line 1: no column 'item'"),
        ({"train": "user,item\n1,2\n3,\n", "test": "user,item\n1,2\n"}, "train.csv: line 3: a value is missing"),
        ({"train": "", "test": "user,item\n1,2\n"}, "train.csv"),
        ({"train": "user,item\na,2\n", "test": "user,item\n1,2\n"}, "whole numbers"),
    ],
)
def test_a_malformed_folder_is_refused_in_one_line(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        from_folder(write(tmp_path, **files))
    assert "\n" not in str(caught.value)


def test_an_unknown_split_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, train="user,item\n1,2\n", test="user,item\n1,3\n")
    for split in ("80", "50/60", "100/0"):
        with pytest.raises(DataError, match="split"):
            from_folder(folder, split)
