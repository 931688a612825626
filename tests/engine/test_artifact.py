from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import artifact
from engine.artifact import folder as folders
from engine.errors import ArtifactError
from engine.types import NO_TIME, Edges, GraphSnapshot, Nodes


def i32(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def text(*values: str) -> np.ndarray:
    return np.array(values, object)


def small_snapshot() -> GraphSnapshot:
    return GraphSnapshot(
        snapshot_id="",
        watermark_s=1_700_000_000,
        users=Nodes(text("ann", "bob", "çem"), {"city": text("", "Rome", "Köln"), "age": np.array([1.5, np.nan, 3])}),
        items=Nodes(text("i1", "i2"), {"priceMinor": np.array([100, 200]), "available": np.array([True, False])}),
        interactions=Edges(
            i32(0, 1, 2),
            i32(0, 1, 1),
            {
                "type": np.array([0, 1, 6], np.int8),
                "occurred_at_s": np.array([10, 20, NO_TIME]),
                "count": i32(3, 1, 1),
                "rating": np.array([np.nan, np.nan, 4.5], np.float32),
            },
        ),
        friends=Edges(i32(0), i32(1), {"strength": np.array([0.5], np.float32), "since_s": np.array([5])}),
        follows=Edges(i32(2), i32(0), {"since_s": np.array([7])}),
        shares=Edges(
            i32(0, 1), i32(1, 1), {"occurred_at_s": np.array([30, 40]), "parent": i32(-1, 0), "depth": i32(0, 1)}
        ),
        sends=Edges(i32(0, 0), i32(1, 2)),
        opens=Edges(i32(0), i32(1), {"occurred_at_s": np.array([35])}),
        share_ids=text("s1", "s2"),
    )


def small_tables() -> dict[str, np.ndarray]:
    lists = np.array([[1, 0], [0, -1], [-1, -1]], np.int32)
    return {
        "user_embedding": np.eye(3, 2, dtype=np.float32),
        "item_embedding": np.eye(2, dtype=np.float32),
        "influence_score": np.array([1, 2, 3], np.float32),
        "influence_percentile": np.array([0, 50, 100], np.float32),
        "influence_error": np.array([0, 0.5, 1], np.float32),
        "recommended_target": lists,
        "recommended_score": np.zeros((3, 2), np.float32),
        "recommended_reasons": np.full((3, 2, 2), 255, np.uint8),
        "similar_target": lists[:2],
        "similar_score": np.zeros((2, 2), np.float32),
        "influences_target": lists,
        "influences_score": np.zeros((3, 2), np.float32),
        "extra": np.arange(5, dtype=np.int64),
    }


def write_model(folder: Path, **changes: object) -> Path:
    given = {
        "model_version": "m1",
        "snapshot_id": "s1",
        "code_version": "0.1.0",
        "user_ids": text("ann", "bob", "çem"),
        "item_ids": text("i1", "i2"),
        "tables": small_tables(),
        "weights": {"w": np.ones((2, 3), np.float32)},
        "metrics": {"ndcg@20": 0.25, "timings": {"train_s": 1.5}},
        "trained_at_s": 123,
    }
    artifact.write_artifact(folder, **(given | changes))
    return folder


def test_a_snapshot_comes_back_as_it_was(tmp_path):
    before = small_snapshot()
    snapshot_id = artifact.write_snapshot(before, tmp_path / "s")
    after = artifact.read_snapshot(tmp_path / "s")
    assert after.snapshot_id == snapshot_id == artifact.identified(before).snapshot_id
    assert after.watermark_s == before.watermark_s
    for name in ("users", "items", "interactions", "friends", "follows", "shares", "sends", "opens"):
        old, new = getattr(before, name), getattr(after, name)
        assert sorted(old.columns) == sorted(new.columns)
        for column, values in old.columns.items():
            assert new.columns[column].dtype == values.dtype
            np.testing.assert_array_equal(new.columns[column], values)
        for end in ("ids",) if isinstance(old, Nodes) else ("source", "target"):
            np.testing.assert_array_equal(getattr(new, end), getattr(old, end))
            assert getattr(new, end).dtype == getattr(old, end).dtype
    np.testing.assert_array_equal(after.share_ids, before.share_ids)


def test_nodes_without_columns_come_back(tmp_path):
    bare = replace(small_snapshot(), users=Nodes(text("ann", "bob", "çem")))
    artifact.write_snapshot(bare, tmp_path / "s")
    assert list(artifact.read_snapshot(tmp_path / "s").users.ids) == ["ann", "bob", "çem"]


def test_the_snapshot_id_follows_the_content_and_not_the_ids():
    before = small_snapshot()
    others = replace(before, users=replace(before.users, ids=text("x", "y", "z")))
    moved = replace(before, friends=replace(before.friends, target=i32(2)))
    assert artifact.identify(before) == artifact.identify(others) != artifact.identify(moved)


def test_a_node_without_attributes_changes_the_id():
    before = small_snapshot()
    more = replace(before, items=Nodes(np.append(before.items.ids, "new"), {}))
    bare = replace(before, items=Nodes(before.items.ids, {}))
    assert artifact.identify(more) != artifact.identify(bare)


def test_an_index_out_of_range_is_refused(tmp_path):
    wrong = replace(small_snapshot(), sends=Edges(i32(0, 2), i32(1, 2)))
    with pytest.raises(ArtifactError, match=r"sends\.source"):
        artifact.write_snapshot(wrong, tmp_path / "s")


def test_an_artifact_comes_back_as_it_was(tmp_path):
    folder = write_model(tmp_path / "m")
    model = artifact.read_artifact(folder)
    assert (model.model_version, model.snapshot_id, model.code_version) == ("m1", "s1", "0.1.0")
    assert (model.trained_at_s, model.metrics) == (123, {"ndcg@20": 0.25, "timings": {"train_s": 1.5}})
    assert list(model.user_ids) == ["ann", "bob", "çem"]
    assert list(model.item_ids) == ["i1", "i2"]
    tables = artifact.read_tables(folder)
    for name, table in small_tables().items():
        assert tables[name].dtype == table.dtype
        np.testing.assert_array_equal(tables[name], table)
    np.testing.assert_array_equal(model.recommended.reasons, small_tables()["recommended_reasons"])
    np.testing.assert_array_equal(model.influences.target, small_tables()["influences_target"])
    np.testing.assert_array_equal(artifact.read_weights(folder)["w"], np.ones((2, 3)))
    listed = artifact.read_manifest(folder)["tables"]
    assert listed["recommended_reasons"] == {"dtype": "U8", "shape": [3, 2, 2]}
    assert set(listed) == set(small_tables())


def test_the_same_content_at_another_time_is_the_same_bytes(tmp_path):
    one = write_model(tmp_path / "one")
    two = write_model(tmp_path / "two", trained_at_s=999, metrics={"timings": {"train_s": 9.0}, "ndcg@20": 0.25})
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in two.iterdir())
    assert [n for n in names if (one / n).read_bytes() != (two / n).read_bytes()] == ["side.json"]


def test_every_flipped_byte_is_refused(tmp_path):
    folder = write_model(tmp_path / "m")
    rng = np.random.default_rng(1)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for position in {0, len(whole) - 1, *rng.integers(0, len(whole), 8).tolist()}:
            broken = bytearray(whole)
            broken[position] ^= 0x2A
            path.write_bytes(bytes(broken))
            with pytest.raises(ArtifactError):
                artifact.verify(folder)
        path.write_bytes(whole)
    assert artifact.verify(folder)["modelVersion"] == "m1"


def test_a_missing_or_foreign_file_is_refused(tmp_path):
    folder = write_model(tmp_path / "m")
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        path.unlink()
        with pytest.raises(ArtifactError):
            artifact.verify(folder)
        path.write_bytes(whole)
    (folder / "weights.pt").write_bytes(pickle.dumps({"w": 1}))
    with pytest.raises(ArtifactError, match="not in the manifest"):
        artifact.verify(folder)


def reseal(folder: Path, **changes: object) -> None:
    """Make the manifest agree with the files, as one who wants to be believed would."""
    manifest = json.loads((folder / "manifest.json").read_text()) | changes
    del manifest["seal"]
    for name in manifest["files"]:
        manifest["files"][name] = folders._fingerprint(folder / name)
    folders.write_json(folder / "manifest.json", folders._sealed(manifest))


def test_a_pickle_in_disguise_is_refused_unloaded(tmp_path):
    folder = write_model(tmp_path / "m")

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "exploded",))

    for name in ("weights.safetensors", "tables.safetensors", "metrics.json"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(pickle.dumps(Bomb()))
        reseal(folder)
        with pytest.raises(ArtifactError):
            artifact.verify(folder)
        (folder / name).write_bytes(whole)
    reseal(folder)
    artifact.verify(folder)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("change", [{"format": 2}, {"kind": "other"}, {"tables": {}}])
def test_another_format_kind_or_listing_is_refused(tmp_path, change):
    folder = write_model(tmp_path / "m")
    reseal(folder, **change)
    with pytest.raises(ArtifactError):
        artifact.verify(folder)


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    folder = write_model(tmp_path / "m")
    moved = (folder / "metrics.json").rename(tmp_path / "metrics.json")
    (folder / "metrics.json").symlink_to(moved)
    with pytest.raises(ArtifactError, match="plain file"):
        artifact.verify(folder)


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("influence_score", np.array([1, np.nan, 2], np.float32)),
        ("similar_target", np.array([[0, 2], [0, 1]], np.int32)),
        ("influences_target", np.array([[0, 1]] * 2, np.int32)),
        ("recommended_score", np.zeros((3, 1), np.float32)),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, name, table):
    with pytest.raises(ArtifactError, match=name):
        write_model(tmp_path / "m", tables=small_tables() | {name: table})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_kept_unless_told(tmp_path):
    folder = write_model(tmp_path / "m")
    with pytest.raises(ArtifactError, match="already there"):
        write_model(folder, model_version="m2")
    assert artifact.read_artifact(folder).model_version == "m1"
    write_model(folder, model_version="m2", replace=True)
    assert artifact.read_artifact(folder).model_version == "m2"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_failure_while_writing_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_model(tmp_path / "m", metrics={"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []
