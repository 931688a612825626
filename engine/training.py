"""Train a model: snapshot in, model folder out. `python -m engine.training --from SNAPSHOT --out ARTIFACT`."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact import read_snapshot, write_artifact
from engine.errors import ArtifactError, DataError, EngineError
from engine.evaluation import top_k
from engine.influence.scoring import score_users
from engine.interest import card
from engine.interest.cut import make_cut
from engine.interest.data import LIKED_RATING, POSITIVE_WEIGHTS, from_snapshot
from engine.interest.heldout import heldout_tables
from engine.interest.linear import strongest_weights
from engine.interest.model import Choice, ablation, ablation_cold, ablation_of_deep, choose, refit
from engine.interest.ranker import Ranker
from engine.interest.threads import set_threads
from engine.interest.training import EncoderSettings
from engine.propagation.estimation import edge_probabilities
from engine.propagation.sharetarget.shop import learn
from engine.serving.bundle import serving_arrays, serving_card
from engine.serving.champion import KEPT
from engine.tuning.space import read_settings
from engine.types import EdgeProbabilities, GraphSnapshot, RankedLists

CODE_VERSION = "0.1.0"
"""Version of the training code, written in every model."""
SIMILAR_CANDIDATES = 200
"""Item-item weights per item that count for its nearest."""
Report = Callable[[dict[str, Any]], None]


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


def train(snapshot: GraphSnapshot, settings: TrainSettings, out: Path, report: Report | None = None) -> Path:
    """Train on a snapshot and write a model folder.

    The parts are chosen on a cut (10 % of each user's positives), measured on a second cut (10 % more) that nothing
    was chosen on, and then fitted on all data: what is published has seen everything, what is reported has not.

    Args:
        snapshot: the graph.
        settings: of the run.
        out: the folder to write; must not be there.
        report: called with {"stage", "done", "total", "message"}.

    Raises:
        DataError: the snapshot has nothing to learn from.
        TrainingError: no usable model came out.
        ArtifactError: the folder cannot be written.
    """
    if out.exists() and any(out.iterdir()):
        raise ArtifactError(f"{out} is already there; choose another folder")
    say = _Stages(report)
    threads = set_threads(settings.threads)
    encoder = replace(settings.encoder, seed=settings.seed)

    say("data", "reading interactions, ties and attributes")
    data = from_snapshot(snapshot, settings.positive_weights)
    cut = make_cut(data, settings.seed, test_share=0.1)

    say("choose", f"{data.users} users, {data.items} items, {len(data.positives)} pairs of interest")
    choice = choose(cut, encoder, report)

    say("evaluate", "measuring on the held-out cut")
    evaluation, per_user, top = card.evaluate(choice, settings.seed)
    slices = card.slices(snapshot, choice, per_user, top, settings.seed)
    ablations = {**ablation(choice), "deep": ablation_of_deep(choice), "cold": ablation_cold(choice)}

    say("refit", "fitting the chosen model on all data")
    ranker = refit(data, choice, encoder, report)

    say("lists", "ranking items for every user")
    recommended = ranker.rank(
        np.arange(data.users, dtype=np.int32), choice.weights, settings.recommended, with_reasons=True
    )
    similar = similar_items(ranker, settings.similar)

    say("influence", "estimating whom each user's shares reach")
    edges = edge_probabilities(snapshot)
    influence = score_users(edges, np.random.default_rng([settings.seed, 2]), threads=threads)

    say("share targets", "learning whom users share items with")
    share_tables, share_weights, share_card = _share_targets(snapshot, settings.seed)

    say("write", f"writing {out}")
    tables, weights = _serving(ranker, settings)
    tables |= share_tables
    weights |= share_weights
    tables |= _lists("recommended", recommended) | _lists("similar", similar)
    tables |= _lists("influences", strongest(edges, settings.influences))
    tables |= {"influence_score": influence.score, "influence_percentile": influence.percentile}
    tables |= heldout_tables(
        snapshot, choice.cut, choice.ranker.rank(choice.cut.test.user, choice.weights, KEPT).target
    )
    write_artifact(
        out,
        model_version=settings.model_version or derived_version(snapshot, settings),
        snapshot_id=snapshot.snapshot_id,
        code_version=CODE_VERSION,
        user_ids=snapshot.users.ids,
        item_ids=snapshot.items.ids,
        tables=tables,
        weights=weights,
        metrics={
            "data": card.describe_data(snapshot, data, settings.positive_weights),
            "positives": {"weights": dict(settings.positive_weights), "ratingAtLeast": LIKED_RATING},
            "settings": settings.to_json(),
            "choice": card.describe_choice(choice),
            "training": card.describe_training(choice, ranker),
            "evaluation": evaluation,
            "slices": slices,
            "ablation": ablations,
            "calibration": card.calibration(choice),
            "sizes": card.sizes(tables, weights),
            "serving": serving_card(ranker.scorers(settings.itemitem_neighbours), choice.weights),
            "shareTargets": share_card,
            "influence": {"rrSets": influence.sets, "ties": len(edges.source)},
            "timings": say.timings(choice, ranker),
        },
    )
    say("done", str(out))
    return out


def similar_items(ranker: Ranker, k: int) -> RankedLists:
    """Return each item's k nearest, best first, scores in (0, 1]: half embedding, half item-item model.

    score(i, j) = (cos(h_i, h_j) + w_ij / max_j w_ij) / 2. Behaviour alone is noise for an item that few acted on, the
    embedding alone forgets who acts on what together (docs/adr/0005).
    """
    models = ranker.models
    vectors, weights = models.encoder.item_embedding, strongest_weights(models.itemitem, SIMILAR_CANDIDATES)
    items, kept = len(vectors), min(k, len(vectors) - 1)
    target, score = np.full((items, k), -1, dtype=np.int32), np.zeros((items, k), dtype=np.float32)
    for start in range(0, items, 1024):
        rows = np.arange(start, min(start + 1024, items))
        closeness = vectors[rows] @ vectors.T
        known = weights.target[rows] >= 0
        row, rank = np.nonzero(known)
        largest = np.maximum(weights.score[rows].max(axis=1, initial=0.0), np.finfo(np.float32).tiny)
        closeness[row, weights.target[rows][row, rank]] += weights.score[rows][row, rank] / largest[row]
        closeness[np.arange(len(rows)), rows] = -np.inf
        best = top_k(closeness, kept)
        found = np.take_along_axis(closeness, best, axis=1) / 2
        target[rows, :kept] = np.where(found > 0, best, -1)
        score[rows, :kept] = np.where(found > 0, found, 0.0)
    return RankedLists(target, score)


def strongest(edges: EdgeProbabilities, k: int) -> RankedLists:
    """Return for each user u its k targets v of largest P(u->v) > 0, ties by the lower v."""
    kept = edges.probability > 0
    source, target, probability = edges.source[kept], edges.target[kept], edges.probability[kept]
    order = np.lexsort((target, -probability, source))
    source, target, probability = source[order], target[order], probability[order]
    start = np.searchsorted(source, np.arange(edges.nodes))
    rank = np.arange(len(source)) - start[source]
    first = rank < k
    targets = np.full((edges.nodes, k), -1, dtype=np.int32)
    scores = np.zeros((edges.nodes, k), dtype=np.float32)
    targets[source[first], rank[first]] = target[first]
    scores[source[first], rank[first]] = probability[first]
    return RankedLists(targets, scores)


def derived_version(snapshot: GraphSnapshot, settings: TrainSettings) -> str:
    """Return a name that equal snapshots, settings and code share."""
    told = json.dumps([snapshot.snapshot_id, settings.to_json(), CODE_VERSION], sort_keys=True, default=str)
    return "m" + hashlib.sha256(told.encode()).hexdigest()[:12]


def _lists(name: str, lists: RankedLists) -> dict[str, NDArray[Any]]:
    tables: dict[str, NDArray[Any]] = {f"{name}_target": lists.target, f"{name}_score": lists.score}
    return tables if lists.reasons is None else {**tables, f"{name}_reasons": lists.reasons}


def _serving(ranker: Ranker, settings: TrainSettings) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Return embeddings and all tables and weights that newcomers are served with."""
    tables, weights = serving_arrays(ranker.scorers(settings.itemitem_neighbours), small=settings.deep_int8)
    tables |= {"user_embedding": ranker.user_embedding, "item_embedding": ranker.models.encoder.item_embedding}
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


class _Stages:
    """Reports the stages of a run and keeps their seconds."""

    def __init__(self, report: Report | None) -> None:
        self._report = report
        self._seconds: dict[str, float] = {}
        self._stage = ""
        self._began = time.perf_counter()

    def __call__(self, stage: str, message: str) -> None:
        now = time.perf_counter()
        if self._stage:
            self._seconds[self._stage] = round(now - self._began, 3)
        self._stage, self._began = stage, now
        if self._report is not None:
            self._report({"stage": stage, "done": int(stage == "done"), "total": 1, "message": message})

    def timings(self, choice: Choice, ranker: Ranker) -> dict[str, Any]:
        """Return seconds per stage and per epoch, edges propagated per second, and the largest memory so far."""
        return {
            "stagesS": dict(self._seconds),
            "chooseS": choice.seconds,
            "epochS": choice.ranker.models.encoder.seconds_per_epoch,
            "refitEpochS": ranker.models.encoder.seconds_per_epoch,
            "edgesPerS": round(choice.ranker.models.encoder.edges_per_s),
            "peakMb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        }


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
        train(read_snapshot(given.source), settings, given.out, _print_json if given.progress_json else _print_line)
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
