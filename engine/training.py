"""Train a model: snapshot in, model folder out. `python -m engine.training --from SNAPSHOT --out ARTIFACT`."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact import read_snapshot, write_artifact
from engine.errors import ArtifactError, DataError, EngineError
from engine.influence.scoring import score_users
from engine.interest import card
from engine.interest.base import Base, Limits, id_tables, read_base, start_card
from engine.interest.data import LIKED_RATING, POSITIVE_WEIGHTS
from engine.interest.fitted import fit_full, fit_further
from engine.interest.heldout import heldout_tables
from engine.interest.ranker import Ranker
from engine.interest.threads import set_threads
from engine.interest.training import EncoderSettings
from engine.lists import named, similar_items, strongest
from engine.propagation.formulafit import figures, fit_item_formula, fit_user_formula
from engine.propagation.itemlearning import learn_item_spread
from engine.propagation.pairlearning import learned_probabilities
from engine.propagation.sharetarget.shop import learn
from engine.propagation.waiting import learn_delays
from engine.serving.bundle import serving_arrays, serving_card
from engine.serving.champion import KEPT
from engine.serving.lineage import Lineage
from engine.serving.sharing import ALPHA, BETA
from engine.stages import Report, Stages
from engine.strategy.model import edge_tables, spread_tables
from engine.tuning.space import read_settings
from engine.types import GraphSnapshot

CODE_VERSION = "0.1.0"
"""Version of the training code, written in every model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """What a training run may be told."""

    seed: int = 0
    threads: int = 0
    """Threads of torch and numba; 0: as many as this process may run on."""
    model_version: str = ""
    """Name of the result; empty: derived from snapshot, settings and code, so that equal runs share it."""
    recommended: int = 200
    similar: int = 20
    influences: int = 20
    itemitem_neighbours: int = 100
    """Item-item weights kept per item for users who come later, where the model has more."""
    deep_int8: bool = False
    """Whether the deep scorer's matrices are kept as int8."""
    positive_weights: Mapping[str, float] = field(default_factory=lambda: dict(POSITIVE_WEIGHTS))
    encoder: EncoderSettings = field(default_factory=EncoderSettings)

    def to_json(self) -> dict[str, Any]:
        """Return the settings that the result depends on as JSON-able values."""
        value = asdict(self)
        value["encoder"].pop("log_folder")
        return {key: each for key, each in value.items() if key != "model_version"}


def train(
    snapshot: GraphSnapshot,
    settings: TrainSettings,
    out: Path,
    report: Report | None = None,
    *,
    base: Path | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> Path:
    """Train on a snapshot and write a model folder.

    Args:
        snapshot: the graph.
        settings: of the run.
        out: the folder to write; must not be there.
        report: called with {"stage", "done", "total", "message"}.
        base: the folder of a version to go on from; None: train in full.
        limits: where they are reached a full training is made all the same, and the card says why.

    Raises:
        DataError: the snapshot has nothing to learn from, or is not such as the base was trained on.
        TrainingError: no usable model came out.
        ArtifactError: the folder cannot be written, or the base's cannot be read.
    """
    if out.exists() and any(out.iterdir()):
        raise ArtifactError(f"{out} is already there; choose another folder")
    say = Stages(report)
    threads = set_threads(settings.threads)
    encoder = replace(settings.encoder, seed=settings.seed)
    start, why = _start(base, snapshot, settings, limits, say)
    version = settings.model_version or derived_version(snapshot, settings, start)
    weights = settings.positive_weights
    if start is None:
        fitted = fit_full(snapshot, weights, encoder, say, report)
        lineage = Lineage(None, 0, version, snapshot.watermark_s, why)
    else:
        fitted = fit_further(snapshot, start, weights, encoder, say=say, report=report)
        lineage = start.lineage.next(start.model_version)
    ranker, choice, data = fitted.ranker, fitted.choice, fitted.data

    say("lists", "ranking items for every user")
    recommended = ranker.rank(
        np.arange(data.users, dtype=np.int32), choice.weights, settings.recommended, with_reasons=True
    )
    similar = similar_items(ranker, settings.similar)

    say("influence", "estimating whom each user's shares reach")
    edges, learned = learned_probabilities(snapshot, settings.seed)
    spread, learned["items"] = learn_item_spread(snapshot, settings.seed)
    influence = score_users(edges, np.random.default_rng([settings.seed, 2]), threads=threads)

    formula = _formula(snapshot, ranker, settings.seed)

    say("share targets", "learning whom users share items with")
    share_tables, share_weights, share_card = _share_targets(snapshot, settings.seed)

    say("write", f"writing {out}")
    tables, arrays = _serving(ranker, settings)
    tables |= share_tables
    arrays |= share_weights
    tables |= named("recommended", recommended) | named("similar", similar)
    tables |= named("influences", strongest(edges, settings.influences))
    tables |= edge_tables(edges, learn_delays(snapshot, edges)) | spread_tables(spread)
    tables |= {"influence_score": influence.score, "influence_percentile": influence.percentile}
    tables["influence_error"] = influence.standard_error
    tables |= heldout_tables(
        snapshot, choice.cut, choice.ranker.rank(choice.cut.test.user, choice.weights, KEPT).target
    )
    serving = serving_card(ranker.scorers(settings.itemitem_neighbours), choice.weights)
    write_artifact(
        out,
        model_version=version,
        snapshot_id=snapshot.snapshot_id,
        code_version=CODE_VERSION,
        user_ids=snapshot.users.ids,
        item_ids=snapshot.items.ids,
        tables=tables,
        weights=arrays,
        metrics={
            "data": card.describe_data(snapshot, data, weights),
            "positives": _positives(settings),
            "settings": settings.to_json(),
            "lineage": lineage.to_json(),
            **fitted.card,
            "training": card.describe_training(choice, ranker),
            "calibration": card.calibration(choice),
            "sizes": card.sizes(tables, arrays),
            "serving": {**serving, "start": start_card(ranker, choice)},
            "shareTargets": share_card,
            **formula,
            "influence": {"rrSets": influence.sets, "ties": len(edges.source), **learned},
            "timings": say.timings(choice, ranker),
        },
    )
    say("done", str(out))
    return out


def _start(
    folder: Path | None, snapshot: GraphSnapshot, settings: TrainSettings, limits: Limits, say: Stages
) -> tuple[Base | None, str]:
    """Return the base to go on from, or none and why a full training is due all the same."""
    if folder is None:
        return None, ""
    base = read_base(folder)
    if why := base.full_is_due(snapshot.watermark_s, limits):
        say("base", f"training in full: {why}")
        return None, why
    base.check(settings.encoder, _positives(settings), CODE_VERSION)
    return base, ""


def _formula(snapshot: GraphSnapshot, ranker: Ranker, seed: int) -> dict[str, Any]:
    """Return the weights of the propagation formula under the names they are served by, and what fitted them."""
    of_items = fit_item_formula(
        snapshot, ranker.user_embedding, ranker.models.encoder.item_embedding, np.random.default_rng([seed, 3])
    )
    of_users = fit_user_formula(snapshot)
    told: dict[str, Any] = {"formula": {"items": of_items and of_items[1], "users": of_users}}
    if of_items is not None:
        told |= {ALPHA: of_items[0].alpha, BETA: of_items[0].beta}
    return told | (figures(of_users) if of_users is not None else {})


def _positives(settings: TrainSettings) -> dict[str, Any]:
    return {"weights": dict(settings.positive_weights), "ratingAtLeast": LIKED_RATING}


def derived_version(snapshot: GraphSnapshot, settings: TrainSettings, base: Base | None = None) -> str:
    """Return a name that equal snapshots, settings, code and bases share."""
    parts = [snapshot.snapshot_id, settings.to_json(), CODE_VERSION, *([base.model_version] if base else [])]
    told = json.dumps(parts, sort_keys=True, default=str)
    return "m" + hashlib.sha256(told.encode()).hexdigest()[:12]


def _serving(ranker: Ranker, settings: TrainSettings) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Return embeddings, all tables and weights that newcomers are served with, and the vectors to go on from."""
    tables, weights = serving_arrays(ranker.scorers(settings.itemitem_neighbours), small=settings.deep_int8)
    tables |= {"user_embedding": ranker.user_embedding, "item_embedding": ranker.models.encoder.item_embedding}
    tables |= id_tables(ranker)
    return tables, weights


def _share_targets(
    snapshot: GraphSnapshot, seed: int
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]], dict[str, Any]]:
    """Return tables, weights and card of the ranker of share targets; without shares enough, why there is none."""
    try:
        ranker, told = learn(snapshot, seed)
    except DataError as error:
        return {}, {}, {"learned": False, "reason": str(error)}
    return *ranker.to_folder(), {"learned": True, **told}


def encoder_settings(
    file: Path | None, epochs: int | None, device: str = "auto", logs: Path | None = None
) -> EncoderSettings:
    """Return the encoder's settings: the defaults, over them a file's, over these the number of epochs.

    Raises:
        ArtifactError, DataError: the file is not there, or names settings that do not exist or make no sense.
    """
    tuned = {} if file is None else read_settings(file)
    if epochs is not None:
        tuned["epochs"] = epochs
    return replace(EncoderSettings(), **tuned, device=device, log_folder=logs)


def main(arguments: list[str] | None = None) -> int:
    """Run a training from the command line; 0 when the model folder is written."""
    parser = argparse.ArgumentParser(prog="python -m engine.training", description="Train a model from a snapshot.")
    parser.add_argument("--from", dest="source", type=Path, required=True, help="snapshot folder")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="largest number of epochs")
    parser.add_argument("--settings", type=Path, help="settings of the encoder, a file of `kith tune`")
    parser.add_argument("--base", type=Path, help="folder of a version to go on from: a few steps instead of all")
    parser.add_argument("--chain", type=int, default=Limits().trainings, help="incremental trainings after a full one")
    parser.add_argument(
        "--full-days", type=float, default=Limits().days, help="days from one full training to the next"
    )
    parser.add_argument("--threads", type=int, default=0, help="0: all")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--model-version", default="", help="name of the model; default: derived from the input")
    parser.add_argument("--logs", type=Path, help="folder for TensorBoard logs")
    parser.add_argument("--progress-json", action="store_true", help="one JSON object per line on standard output")
    given = parser.parse_args(arguments)
    try:
        encoder = encoder_settings(given.settings, given.epochs, given.device, given.logs)
        settings = TrainSettings(
            seed=given.seed, threads=given.threads, model_version=given.model_version, encoder=encoder
        )
        train(
            read_snapshot(given.source),
            settings,
            given.out,
            _print_json if given.progress_json else _print_line,
            base=given.base,
            limits=Limits(given.chain, given.full_days),
        )
    except (EngineError, OSError) as error:
        sys.stderr.write(f"training failed: {error}\n")
        return 1
    return 0


def _print_json(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _print_line(event: dict[str, Any]) -> None:
    sys.stdout.write(f"{event['stage']}: {event['message']}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    ended = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is written; to take torch apart object by object would last another second.
    os._exit(ended)
