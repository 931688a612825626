"""A model from another machine: taken whole and published, or refused in one line with nothing changed."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from engine import artifact, world
from engine.artifact import folder as folders
from engine.errors import ArtifactError
from engine.interest.training import EncoderSettings
from engine.training import TrainSettings, train
from graph import adoption, entities, publication, snapshot
from graph.connection import Graph
from graph.errors import ConflictError, InputError
from graph.settings import Settings
from tests.workers.processes import ROOT, environment

Cypher = Callable[..., list[dict[str, Any]]]
VERSION = "0.1.0"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a generated world, trained as on a GPU machine."""
    made = world.to_snapshot(world.generate(world.WorldSettings(users=40, items=30, events=1_500, seed=5)))
    out = tmp_path_factory.mktemp("elsewhere") / "model"
    return train(made, TrainSettings(model_version="away", threads=1, encoder=EncoderSettings(epochs=2, steps=4)), out)


@pytest.fixture
def home(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with a home of the test's own beside the running Neo4j."""
    (tmp_path / "secrets").mkdir()
    shutil.copy(settings.password_file, tmp_path / "secrets")
    return replace(settings, home=tmp_path)


@pytest.fixture(autouse=True)
def people(empty: None, cypher: Cypher, trained: Path) -> None:
    model = artifact.read_artifact(trained)
    cypher("UNWIND $ids AS id CREATE (:User {userId: id, consent: ['personalisation', 'sharing']})",
           ids=model.user_ids.tolist())  # fmt: skip
    cypher("UNWIND $ids AS id CREATE (:Item {itemId: id})", ids=model.item_ids.tolist())
    cypher("CREATE (:KithSnapshot {snapshotId: $id, exportedAt: datetime() - duration('P1D')})", id=model.snapshot_id)


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    shutil.copytree(trained, tmp_path / "copied")
    return tmp_path / "copied"


def forge(folder: Path, **fields: Any) -> None:
    """Change a model's manifest and seal it again, as someone would who means harm."""
    manifest = {**json.loads((folder / folders.MANIFEST).read_text()), **fields}
    manifest.pop("seal", None)
    for name in manifest["files"]:
        manifest["files"][name] = folders._fingerprint(folder / name)
    folders.write_json(folder / folders.MANIFEST, folders._sealed(manifest))


def test_it_is_copied_whole_and_again_is_no_error(graph: Graph, home: Settings, trained: Path) -> None:
    model = adoption.adopt(graph, home, trained, VERSION)
    assert model.model_version == "away"
    assert {file.name for file in (home.artifacts / "away").iterdir()} == {file.name for file in trained.iterdir()}
    assert [each.name for each in home.artifacts.iterdir()] == ["away"]
    assert adoption.adopt(graph, home, trained, "0.1.9").model_version == "away"


def test_what_is_published_leaves_out_who_withdrew_since(
    graph: Graph, home: Settings, cypher: Cypher, trained: Path
) -> None:
    gone = artifact.read_artifact(trained).user_ids[3]
    entities.set_consent(graph, gone, [])
    publication.publish(graph, home, adoption.adopt(graph, home, trained, VERSION))
    lacking = cypher(
        "MATCH (p:Published) MATCH (u:User) "
        "WHERE CASE p.slot WHEN 'a' THEN u.embedding_a ELSE u.embedding_b END IS NULL "
        "RETURN u.userId AS id"
    )
    assert lacking == [{"id": gone}]


@pytest.mark.parametrize("name", ["tables.safetensors", "weights.safetensors", "metrics.json", "manifest.json",
                                  "side.json", "ids.parquet"])  # fmt: skip
def test_a_flipped_byte_or_a_missing_file_is_refused(graph: Graph, home: Settings, copied: Path, name: str) -> None:
    whole = (copied / name).read_bytes()
    middle = len(whole) // 2
    (copied / name).write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    with pytest.raises(ArtifactError):
        adoption.adopt(graph, home, copied, VERSION)
    (copied / name).unlink()
    with pytest.raises(ArtifactError, match="missing"):
        adoption.adopt(graph, home, copied, VERSION)
    assert not home.artifacts.exists()


def test_a_pickle_in_disguise_is_refused_and_runs_nothing(graph: Graph, home: Settings, copied: Path) -> None:
    proof = home.home / "it-ran"

    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(proof),)

    (copied / "weights.safetensors").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(ArtifactError, match="not what the manifest says"):
        adoption.adopt(graph, home, copied, VERSION)
    forge(copied)
    with pytest.raises(ArtifactError, match="not a safetensors file"):
        adoption.adopt(graph, home, copied, VERSION)
    assert not proof.exists()


def test_a_file_too_many_is_refused(graph: Graph, home: Settings, copied: Path) -> None:
    (copied / "model.pkl").write_bytes(b"x")
    with pytest.raises(ArtifactError, match="not in the manifest"):
        adoption.adopt(graph, home, copied, VERSION)


@pytest.mark.parametrize("name", ["../../escaped", ".hidden", "", "a/b", "x" * 65])
def test_a_name_that_is_no_folder_of_ours_is_refused(graph: Graph, home: Settings, copied: Path, name: str) -> None:
    forge(copied, modelVersion=name)
    with pytest.raises(InputError, match="no name for a model"):
        adoption.adopt(graph, home, copied, VERSION)


def test_another_codes_model_is_refused(graph: Graph, home: Settings, trained: Path) -> None:
    with pytest.raises(InputError, match=r"trained by Kith 0\.1\.0, this is 0\.2\.0"):
        adoption.adopt(graph, home, trained, "0.2.0")


def test_another_graphs_model_is_refused(graph: Graph, home: Settings, cypher: Cypher, trained: Path) -> None:
    cypher("MATCH (s:KithSnapshot) DELETE s")
    with pytest.raises(InputError, match="which this graph never gave"):
        adoption.adopt(graph, home, trained, VERSION)


def test_the_graph_remembers_the_snapshots_it_gave(
    graph: Graph, home: Settings, cypher: Cypher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "NOTED", 2)
    given = []
    for number in range(3):
        given.append(snapshot.export(graph, home).snapshot_id)
        cypher("CREATE (:Item {itemId: $id, ingestedAt: datetime() - duration('PT1M')})", id=f"new{number}")
    left = cypher("MATCH (s:KithSnapshot) RETURN s.snapshotId AS id ORDER BY s.exportedAt")
    assert [row["id"] for row in left] == given[1:]


def test_another_model_of_the_same_name_is_refused(graph: Graph, home: Settings, copied: Path, trained: Path) -> None:
    adoption.adopt(graph, home, trained, VERSION)
    tables = load_file(copied / "tables.safetensors")
    save_file({**tables, "influence_score": np.ones_like(tables["influence_score"])}, copied / "tables.safetensors")
    forge(copied)
    with pytest.raises(ConflictError, match="another model away is here"):
        adoption.adopt(graph, home, copied, VERSION)


def test_the_command_publishes_and_a_refusal_leaves_the_old_version(
    graph: Graph, home: Settings, copied: Path, trained: Path
) -> None:
    def command(folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kith.cli", "models", "import", str(folder), "--json"],
            cwd=ROOT, env=environment(home), capture_output=True, text=True, check=False, timeout=200,
        )  # fmt: skip

    done = command(trained)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["published"]["modelVersion"] == "away"
    before = publication.published(graph)
    (copied / "weights.safetensors").unlink()
    refused = command(copied)
    assert refused.returncode == 2
    assert len(refused.stderr.strip().splitlines()) == 1
    assert publication.published(graph) == before
