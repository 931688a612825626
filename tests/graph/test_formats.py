"""Which form a folder has, and what its files say."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from graph.errors import InputError
from graph.formats import read_folder
from graph.raw_tables import read_csv, read_parquet


def rows(frame: pd.DataFrame, *names: str) -> list[tuple[object, ...]]:
    """Return the columns as rows."""
    return list(zip(*(frame[name] for name in names), strict=True))


def folder(base: Path, **files: str) -> Path:
    """Write files (`train_csv` is train.csv) into a folder called `set` and return it."""
    made = base / "set"
    made.mkdir()
    for name, text in files.items():
        (made / name.replace("_", ".")).write_text(text)
    return made


def test_likes_come_from_train_only(tmp_path: Path) -> None:
    made = folder(
        tmp_path,
        train_csv="user,item\n0,6\n1,7\n",
        test_csv="user,item\n0,9\n",
        valid_csv="user,item\n0,8\n",
        social_csv="user,friend\n0,1\n",
        items_csv="item,name\n6,Six\n",
    )
    raw = read_folder(made)
    assert (raw.dataset, raw.form, raw.is_benchmark) == ("set", "interactions", True)
    items, friends, likes = raw.tables
    assert rows(items.frame, "itemId", "title", "row") == [("set:i6", "Six", 2)]
    assert rows(friends.frame, "userId", "friendId") == [("set:u0", "set:u1")]
    assert rows(likes.frame, "userId", "itemId", "type", "row") == [
        ("set:u0", "set:i6", "like", 2),
        ("set:u1", "set:i7", "like", 3),
    ]


def test_share_events_have_one_share_per_inviter_item_and_time(tmp_path: Path) -> None:
    early, late = "2022-10-14 10:42:06", "2022-10-15 10:42:06"
    text = f"inviter,item,voter,timestamp\n1,5,2,{early}\n1,5,3,{early}\n1,5,3,{late}\n"
    shares, opens = read_folder(folder(tmp_path, train_csv=text)).tables
    ids = list(shares.frame["shareId"])
    assert ids[0] == ids[1] != ids[2]
    assert rows(shares.frame, "userId", "itemId", "recipientId")[0] == ("set:u1", "set:i5", "set:u2")
    assert rows(opens.frame, "userId", "shareId", "occurredAt")[2] == ("set:u3", ids[2], "2022-10-15 10:42:06")


def test_share_links_are_follows_from_voter_to_inviter(tmp_path: Path) -> None:
    (follows,) = read_folder(
        folder(tmp_path, train_csv="inviter,voter\n13,48\n", test_csv="inviter,voter\n1,2\n")
    ).tables
    assert follows.name == "follows"
    assert rows(follows.frame, "userId", "friendId") == [("set:u48", "set:u13")]


def test_cascades_with_and_without_a_root(tmp_path: Path) -> None:
    made = folder(tmp_path, cascades_txt="0 566 100,7 200.5,\n8 10,9 20\nnonsense\n", edges_txt="566,7\n1,2,3\n")
    follows, shares = read_folder(made).tables
    assert rows(follows.frame, "userId", "friendId") == [("set:u566", "set:u7")]
    assert follows.bad == [("edges.txt", 2, "is not a pair of users")]
    assert rows(shares.frame, "itemId", "userId", "shareId", "rootShareId") == [
        ("set:i1", "set:u0", "set:s1-0", None),
        ("set:i1", "set:u566", "set:s1-1", "set:s1-0"),
        ("set:i1", "set:u7", "set:s1-2", "set:s1-0"),
        ("set:i2", "set:u8", "set:s2-0", None),
        ("set:i2", "set:u9", "set:s2-1", "set:s2-0"),
    ]
    assert [at.timestamp() for at in shares.frame["occurredAt"]] == [100, 100, 200.5, 10, 20]
    assert shares.bad == [("cascades.txt", 3, "is not a list of USER SECONDS")]


def test_a_bare_graph_is_imported_on_purpose_only(tmp_path: Path) -> None:
    made = folder(tmp_path, edges_txt="3 2\n0 1\n1 2\n")
    with pytest.raises(InputError, match="--format graph"):
        read_folder(made)
    (follows,) = read_folder(made, "graph").tables
    assert rows(follows.frame, "userId", "friendId") == [("set:u0", "set:u1"), ("set:u1", "set:u2")]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds none of"),
        ({"train_csv": "a,b\n"}, "train.csv, line 1"),
        ({"users_csv": ""}, "users.csv, line 1, a column has no name"),
        ({"users_csv": "name\nAda\n"}, "users.csv, line 1, column userId is missing"),
        ({"users_csv": "userId,userId\na,b\n"}, "'userId' stands twice"),
        ({"users_csv": 'userId\n"ada\n'}, "users.csv, line 2"),
        ({"users_parquet": "no parquet"}, "users.parquet, line 1"),
        ({"users_csv": "userId\nada\n", "users_parquet": ""}, "both there"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_folder(folder(tmp_path, **files))
    assert "\n" not in str(caught.value)


def test_no_folder_and_no_form(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is not a form"):
        read_folder(tmp_path, "excel")


def test_csv_values_lines_and_bad_rows(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes(b'\xef\xbb\xbfuserId,name\nada,"two\nlines"\nbob,\nshort\ncem,\xff\n')
    frame, bad = read_csv(file)
    assert rows(frame, "userId", "name", "row") == [
        ("ada", "two\nlines", 2),
        ("bob", None, 4),
        ("cem", "\udcff", 6),
    ]
    assert bad == [("users.csv", 5, "has 1 fields instead of 2")]


def test_parquet_keeps_types(tmp_path: Path) -> None:
    file = tmp_path / "items.parquet"
    pd.DataFrame({"itemId": [1, 2], "weight": [0.5, float("nan")], "tags": [["a"], None]}).to_parquet(file)
    frame, bad = read_parquet(file)
    assert rows(frame, "itemId", "weight", "tags", "row") == [(1, 0.5, ("a",), 1), (2, None, None, 2)]
    assert bad == []
