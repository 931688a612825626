"""A model that was trained elsewhere becomes one of this machine's: checked byte by byte, copied whole or not at all.

The hashes show damage and carelessness. That nothing in a model can run code is a matter of its formats
(`engine.artifact`), and that it belongs to this graph is seen from its snapshot, which the graph remembers.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

from engine.artifact import read_artifact, read_manifest
from engine.serving import bundle
from engine.types import Artifact
from graph.connection import Graph
from graph.errors import ConflictError, InputError
from graph.publication_rows import check
from graph.settings import Settings

VERSION_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a model may be called: it names a folder."""


def adopt(graph: Graph, settings: Settings, folder: Path, code_version: str) -> Artifact:
    """Check a model folder and copy it among this machine's; one that is here already, byte for byte, is no error.

    Args:
        graph: the graph whose snapshot it was trained on.
        settings: `artifacts` is where it goes.
        folder: the model folder.
        code_version: of this Kith; the model's first two numbers must be the same.

    Raises:
        ArtifactError: a file is missing, unknown or altered, or does not hold what it should.
        InputError: its name, code version, snapshot or shapes are not such as can be published here.
        ConflictError: another model of this name is here.
    """
    _judge(graph, read_artifact(folder), code_version)
    settings.artifacts.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".import-", dir=settings.artifacts))
    try:
        for file in folder.iterdir():
            shutil.copyfile(file, draft / file.name)
        # What counts is what was copied: the source may have changed since it was read.
        model = read_artifact(draft)
        _judge(graph, model, code_version)
        bundle.load(draft)
        draft.chmod(0o755)
        return read_artifact(keep(settings, draft, model.model_version))
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def keep(settings: Settings, draft: Path, model_version: str) -> Path:
    """Move a finished model folder to its place, the version's name, and return that; an equal one may be there.

    Raises:
        ConflictError: another model of this name is there; nothing was moved.
    """
    place = settings.artifacts / model_version
    if place.exists():
        if read_manifest(place) != read_manifest(draft):
            raise ConflictError(f"another model {model_version} is here: train with another --model-version")
    else:
        draft.rename(place)
    return place


def _judge(graph: Graph, model: Artifact, code_version: str) -> None:
    name = model.model_version
    if not VERSION_NAME.fullmatch(name):
        raise InputError(f"{name[:64]!r} is no name for a model: letters, digits, dots, - and _ (at most 64)")
    if model.code_version.split(".")[:2] != code_version.split(".")[:2]:
        raise InputError(
            f"{name} was trained by Kith {model.code_version[:64]}, this is {code_version}: train it again"
        )
    if model.user_embedding.shape[1] != model.item_embedding.shape[1]:
        raise InputError(f"{name}: users and items are embedded in different dimensions")
    check(model)
    if not graph.read("adoption.gave_snapshot", snapshot_id=model.snapshot_id)[0]["gave"]:
        raise InputError(
            f"{name} was trained on snapshot {model.snapshot_id[:64]}, which this graph never gave: "
            "export this graph (kith export-graph) and train on that"
        )
