"""The version that an incremental training goes on from: read from its folder, and judged whether it can be.

A model folder holds what is needed: the encoder's weights and layers (serving reads them too), the learned vectors of
ids (`user_id_vector`, `item_id_vector`), and beside the card of serving what was chosen (`serving.start`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact import read_tables
from engine.errors import ArtifactError, DataError
from engine.interest.friendship import Friendship
from engine.interest.linear import LinearRecipe
from engine.interest.model import Choice
from engine.interest.ranker import Ranker
from engine.interest.start import Start, id_vectors
from engine.interest.training import EncoderSettings
from engine.serving import bundle
from engine.serving.features import FeatureRecipe, learn_recipe
from engine.serving.friendship import TieModel
from engine.serving.lineage import IN_FULL, Lineage
from engine.types import GraphSnapshot

FORMS = ("dense", "sparse")
DAY_S = 86_400
OF_ENCODER = ("width", "layers", "with_social")
"""Settings of the encoder that the parameters are made for."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long trainings may follow on one another without a full one."""

    trainings: int = 6
    """Incremental ones after a full one."""
    days: float = 7.0
    """Between the full one's snapshot and that of now: until then the weights remember who was erased."""


@dataclass(frozen=True, slots=True)
class Base:
    """A version to go on from."""

    model_version: str
    code_version: str
    watermark_s: int
    """Of its snapshot: it has seen what is older."""
    lineage: Lineage
    user_ids: NDArray[np.object_]
    item_ids: NDArray[np.object_]
    recipes: Mapping[str, FeatureRecipe]
    positives: Mapping[str, Any]
    """Which acts count, and how much."""
    encoder: Mapping[str, Any]
    """Settings of its encoder."""
    start: Start

    def full_is_due(self, watermark_s: int, limits: Limits) -> str:
        """Return why a full training is due before one more incremental one, or "" where it is not.

        Args:
            watermark_s: of the snapshot that is trained on.
            limits: of the chain.
        """
        if self.lineage.trainings >= limits.trainings:
            return f"{self.lineage.trainings} incremental trainings have followed the full one, {limits.trainings} may"
        days = (watermark_s - self.lineage.full_watermark_s) / DAY_S
        if days > limits.days:
            return f"the last full training is {days:.1f} days old, {limits.days:g} may it be"
        return ""

    def check(self, encoder: EncoderSettings, positives: Mapping[str, Any], code_version: str) -> None:
        """Refuse a run of other settings than the base's.

        Raises:
            DataError: naming what differs.
        """
        if self.code_version.split(".")[:2] != code_version.split(".")[:2]:
            raise self._unlike("was trained by Kith", self.code_version, code_version)
        if dict(self.positives) != dict(positives):
            raise self._unlike("counts as interest", self.positives, positives)
        for name in OF_ENCODER:
            if self.encoder.get(name) != getattr(encoder, name):
                raise self._unlike(f"has the encoder's {name}", self.encoder.get(name), getattr(encoder, name))

    def check_attributes(self, snapshot: GraphSnapshot) -> None:
        """Refuse a graph whose nodes have other attributes than the base was trained with.

        Raises:
            DataError: naming the first that is new or gone.
        """
        for kind, nodes in (("user", snapshot.users), ("item", snapshot.items)):
            own, now = (_attributes(each) for each in (self.recipes[kind], learn_recipe(nodes.columns)))
            if different := sorted(own ^ now):
                side = "are described by" if different[0] in now else "are no longer described by"
                raise DataError(f"{kind}s {side} {different[0]}, unlike in {self.model_version}: {IN_FULL}")

    def _unlike(self, what: str, own: Any, asked: Any) -> DataError:
        return DataError(f"{self.model_version} {what} {own}, this run {asked}: {IN_FULL}")


def start_card(ranker: Ranker, choice: Choice) -> dict[str, Any]:
    """Return what `read_base` needs beside the arrays and the card of serving, JSON-able."""
    warm = ranker.models.friendship.warm
    return {
        "warmTies": None if warm is None else warm.to_json(),
        "itemitem": {"form": choice.linear.form, "ridge": choice.linear.ridge},
        "halfLifeDays": choice.half_life_days if np.isfinite(choice.half_life_days) else None,
    }


def id_tables(ranker: Ranker) -> dict[str, NDArray[Any]]:
    """Return the learned vectors of ids under their names in a model folder."""
    return {f"{kind}_id_vector": each for kind, each in id_vectors(ranker).items()}


def read_base(folder: Path) -> Base:
    """Read a version to go on from, every byte checked.

    Raises:
        ArtifactError: the folder is missing, damaged, or of a form that cannot be gone on from.
    """
    if not folder.is_dir():
        raise ArtifactError(f"{folder.name}, the base version, is not on this machine: {IN_FULL}")
    try:
        return _base(bundle.load(folder), read_tables(folder))
    except ArtifactError as error:
        raise ArtifactError(f"{error}: {IN_FULL}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{folder.name} does not hold what can be gone on from: {IN_FULL}") from error


def _base(loaded: bundle.Bundle, tables: Mapping[str, NDArray[Any]]) -> Base:
    model, scorers = loaded.artifact, loaded.scorers
    metrics = model.metrics
    card, ids = metrics["serving"]["start"], {kind: tables[f"{kind}_id_vector"] for kind in ("user", "item")}
    for kind, known in (("user", model.user_ids), ("item", model.item_ids)):
        if ids[kind].shape != (len(known), scorers.forward.width) or not np.isfinite(ids[kind]).all():
            raise ArtifactError(f"table {kind}_id_vector has shape {ids[kind].shape} or a number that is not finite")
    form, half_life = card["itemitem"]["form"], card["halfLifeDays"]
    if form not in FORMS:
        raise ArtifactError(f"there is no item-item model of the form {form!r}")
    warm = None if card["warmTies"] is None else TieModel.from_json(card["warmTies"])
    return Base(
        model_version=model.model_version,
        code_version=model.code_version,
        watermark_s=int(metrics["data"]["snapshot"]["watermarkS"]),
        lineage=Lineage.from_json(metrics["lineage"]),
        user_ids=model.user_ids,
        item_ids=model.item_ids,
        recipes=scorers.recipes,
        positives=metrics["positives"],
        encoder=metrics["settings"]["encoder"],
        start=Start(
            ids=ids,
            projection=scorers.forward.projection,
            rounds=scorers.forward.weights,
            deep=scorers.deep,
            friendship=Friendship(warm, scorers.ties),
            linear=LinearRecipe(form, float(card["itemitem"]["ridge"])),
            half_life_days=np.inf if half_life is None else float(half_life),
            blend=loaded.weights,
        ),
    )


def _attributes(recipe: FeatureRecipe) -> set[str]:
    texts = {f"texts by {recipe.text_model}"} if recipe.text_model else set()
    return {*recipe.numbers, *recipe.categories, *recipe.texts, *texts}
