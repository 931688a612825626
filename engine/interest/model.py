"""Fit the whole interest model: choose on a cut, then learn from everything."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from engine.interest.cut import Cut
from engine.interest.data import InterestData
from engine.interest.deep import fit_deep
from engine.interest.encoder import Encoder
from engine.interest.fitting import Candidates, fit_blend, fit_weights, gather_candidates
from engine.interest.friendship import Friendship, fit_friendship
from engine.interest.linear import LinearModel, LinearRecipe, choose_half_life, choose_linear
from engine.interest.newitems import fit_new_items
from engine.interest.plain import fit_plain
from engine.interest.popular import count_popular
from engine.interest.ranker import Models, Ranker, build_ranker, embed_without_history
from engine.interest.relations import relations_of
from engine.interest.training import EncoderSettings, FittedEncoder, Report, fit_encoder, without_social
from engine.serving.blend import NEW_ITEM, BlendWeights, Calibration
from engine.serving.deep import DeepModel, pruned, quantised, restored

FIRST_WEIGHTS = BlendWeights({"graphsage": 1.0, "itemitem": 0.3}, {"popularity": 1.0})
WITHOUT_CUT = BlendWeights({"itemitem": 1.0, "popularity": 0.1}, {"popularity": 1.0})
LEAST_POPULARITY = 0.05
"""Popularity ranks what the other scores of a user without a history leave equal."""
REFIT_SHARE = 1 / 3
"""Steps on all data after the cut's model, as a share of the steps that it took."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen on the cut."""

    cut: Cut
    ranker: Ranker
    """Fitted on the cut's training part."""
    weights: BlendWeights
    linear: LinearRecipe
    half_life_days: float
    """Of the weight of an act; inf: acts do not age."""
    warm: Candidates | None
    cold: Candidates | None
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is chosen and fitted on a cut before the encoder, whatever its settings."""

    cut: Cut
    """With decayed weights."""
    half_life_days: float
    recipe: LinearRecipe
    linear: LinearModel
    friendship: Friendship
    seconds: float


def choose(cut: Cut, settings: EncoderSettings, report: Report | None = None) -> Choice:
    """Fit every part on the cut's training part; choose form, ridge, decay, steps and weights on what it held out."""
    return complete(prepare(cut, report), settings, report)


def prepare(cut: Cut, report: Report | None = None) -> Prepared:
    """Choose the decay and the item-item model, and fit what friends are worth."""
    clock = _Clock()
    _say(report, "itemitem", "choosing the item-item model on the cut")
    half_life_days = choose_half_life(cut.data, cut.validation)
    cut = replace(cut, data=cut.data.decayed(half_life_days))
    recipe, linear = choose_linear(cut.data, cut.validation)
    friendship = fit_friendship(cut.data, cut.validation, cut.cold)
    clock.stop("itemitem")
    return Prepared(cut, half_life_days, recipe, linear, friendship, clock.seconds["itemitem"])


def complete(prepared: Prepared, settings: EncoderSettings, report: Report | None = None) -> Choice:
    """Train the encoder and what stands on it, then fit the blend."""
    cut, linear, friendship = prepared.cut, prepared.linear, prepared.friendship
    clock = _Clock()
    encoder = fit_encoder(
        cut.data, settings, cut.validation if len(cut.validation) else None, report=report,
        ties=friendship.weigh(cut.data),
    )  # fmt: skip
    clock.stop("graphsage")
    _say(report, "deep", "training the scorers on top of the embeddings")
    ranker = fit_parts(cut.data, encoder, linear, friendship, seed=settings.seed)
    clock.stop("scorers")
    _say(report, "blend", "fitting the weights of the named scores on the cut")
    warm, cold = _gather(ranker, cut)
    first = FIRST_WEIGHTS if warm else WITHOUT_CUT
    weights = fit_blend(warm, cold, replace(first, cold={"popularity": LEAST_POPULARITY if cold else 1.0}))
    is_calibrated = weights.calibration.get("warm", Calibration()) != Calibration()
    if is_calibrated and (new_items := fit_new_items(ranker, cut, settings.seed)) is not None:
        weights = replace(weights, calibration={**weights.calibration, NEW_ITEM: new_items})
    clock.stop("blend")
    seconds = {"itemitem": prepared.seconds, **clock.seconds}
    return Choice(cut, ranker, weights, prepared.recipe, prepared.half_life_days, warm, cold, seconds)


def refit(data: InterestData, choice: Choice, settings: EncoderSettings, report: Report | None = None) -> Ranker:
    """Fit the chosen model on all data; the encoder goes on from the cut's weights for a third of their steps."""
    data = data.decayed(choice.half_life_days)
    friendship = choice.ranker.models.friendship
    steps = max(1, round(choice.ranker.models.encoder.steps * REFIT_SHARE))
    on_all = replace(settings, steps=steps, epochs=10**9, learning_rate=settings.learning_rate / 2)
    start = _fitting_start(choice, data, settings)
    encoder = fit_encoder(data, on_all, None, start, report, ties=friendship.weigh(data))
    _say(report, "itemitem", "fitting the other parts on all data")
    return fit_parts(data, encoder, choice.linear.fit(data.positives), friendship, seed=settings.seed)


def fit_parts(
    data: InterestData,
    encoder: FittedEncoder,
    linear: LinearModel,
    friendship: Friendship,
    *,
    seed: int,
    deep: DeepModel | None = None,
) -> Ranker:
    """Fit what stands on the embeddings and count what is counted.

    Args:
        data: of the users and items.
        encoder: their embeddings.
        linear: fitted item-item model.
        friendship: fitted weights of friends.
        seed: of the scorers.
        deep: weights that the deep scorer goes on from; None: it begins from nothing.
    """
    users, items = encoder.user_embedding, encoder.item_embedding
    cold = embed_without_history(data, encoder, friendship.weigh_cold(data))
    return build_ranker(
        data,
        Models(
            encoder=encoder,
            itemitem=linear,
            plain=fit_plain(users, items, data.positives, seed=seed),
            deep=fit_deep(data, users, cold, items, seed=seed, start=deep),
            friendship=friendship,
            popular=count_popular(data),
            cold_embedding=cold,
        ),
    )


def ablation(choice: Choice) -> dict[str, dict[str, float]]:
    """Measure NDCG@20 and Recall@20 on the cut: the blend, the blend refitted without a score, each score alone."""
    warm = choice.warm
    if warm is None:
        return {}
    weights = fit_weights(warm, choice.weights.warm, rounds=1)
    rows = {"blend": warm.measure(weights)}
    for name in warm.names:
        start = {**weights, name: 0.0}
        if any(start.values()):
            rows[f"without_{name}"] = warm.measure(fit_weights(warm, start, frozenset((name,)), rounds=1))
    for name in warm.names:
        rows[f"only_{name}"] = warm.measure({name: 1.0})
    return rows


def ablation_cold(choice: Choice) -> dict[str, dict[str, float]]:
    """Measure the stripped users of the cut: the blend, popularity, each score alone."""
    cold = choice.cold
    if cold is None:
        return {}
    rows = {"blend": cold.measure(choice.weights.cold)}
    return rows | {f"only_{name}": cold.measure({name: 1.0}) for name in cold.names}


def ablation_of_deep(choice: Choice) -> dict[str, dict[str, float]]:
    """Measure the deep scorer alone on the cut: whole, half and four fifths of its weights pruned, and in int8."""
    models = choice.ranker.models
    kinds = {
        "whole": models.deep,
        "pruned_50": pruned(models.deep, 0.5),
        "pruned_80": pruned(models.deep, 0.8),
        "int8": restored(*quantised(models.deep)),
    }
    rows = {}
    for name, deep in kinds.items():
        ranker = build_ranker(choice.ranker.data, replace(models, deep=deep))
        warm, _ = _gather(ranker, replace(choice.cut, cold=choice.cut.cold.take(np.zeros(0, np.intp))))
        if warm is not None:
            rows[name] = warm.measure({"deep": 1.0})
    return rows


def ablation_without_friends(choice: Choice, settings: EncoderSettings, report: Report | None) -> dict[str, float]:
    """Measure the cut with a blend whose encoder was trained without messages between users, and no friends' scores."""
    data = choice.cut.data
    encoder = fit_encoder(data, without_social(settings), choice.cut.validation, report=report)
    models = choice.ranker.models
    ranker = fit_parts(data, encoder, models.itemitem, models.friendship, seed=settings.seed)
    warm, _ = _gather(ranker, choice.cut)
    if warm is None:
        return {}
    social = frozenset(("friends", "circle"))
    start = {**choice.weights.warm, **dict.fromkeys(social, 0.0)}
    return warm.measure(fit_weights(warm, start, social))


def _gather(ranker: Ranker, cut: Cut) -> tuple[Candidates | None, Candidates | None]:
    """Return the candidates of the cut's users with a history, and of those without."""
    acts, masked = cut.data.positives.degree, cut.data.masked
    warm = gather_candidates(ranker.parts, masked, acts, cut.validation) if len(cut.validation) else None
    cold = gather_candidates(ranker.cold_parts, masked, acts, cut.cold) if len(cut.cold) else None
    return warm, cold


def _fitting_start(choice: Choice, data: InterestData, settings: EncoderSettings) -> Encoder | None:
    """Return the cut's encoder, unless the whole data has relations that the cut lost."""
    encoder = choice.ranker.models.encoder
    ties = choice.ranker.models.friendship.weigh(data)
    same = relations_of(data, settings.with_social, ties).names == encoder.relations.names
    return encoder.encoder if same else None


def _say(report: Report | None, stage: str, message: str) -> None:
    if report is not None:
        report({"stage": stage, "done": 0, "total": 1, "message": message})


class _Clock:
    """Seconds between stops, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def stop(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = round(now - self._last, 3)
        self._last = now
