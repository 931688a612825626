"""One plan of a campaign: ties from the live version's folder, people from the graph as it is now, seeds by the engine.

Loads numba; only workers and the command line import it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from engine.errors import DataError
from engine.influence.coverage import Limits
from engine.serving.shelf import years_between
from engine.strategy.communities import communities
from engine.strategy.model import PlanModel, read_plan_model
from engine.strategy.plan import Plan, Task, effort, plan
from engine.strategy.suiting import interest_factor, learned, suited
from engine.types import EdgeProbabilities
from graph import campaigns
from graph.connection import Graph
from graph.jobs import Claim
from graph.plan_request import MOST_SEEDS, CostModel, PlanRequest
from graph.settings import Settings
from workers.watch import Watch

MAX_RESULT_BYTES: Final = 2_000_000
"""A plan is kept in its job's record; 1,000 seeds with ids of 256 characters take 450,000."""
LEAST_FAILURE: Final = 0.01
"""Probability that the bounds do not hold, at most; 1 / users where that is less."""
INFLUENTIAL_PERCENTILE: Final = 90.0
CHEAP_QUANTILE: Final = 0.25
NEW_CIRCLE: Final = 0.8
"""Of what a seed reaches alone: from this part on its circle is new to those before."""
TASTE: Final = 1.25
"""Mean factor of those whom a seed's shares reach, from which their interest is named as a reason."""
PLAN_REASONS: Final = ("included", "influential", "cheap", "newCircle", "taste")

Tell = Callable[[float, str], None]


def plan_job(graph: Graph, settings: Settings, claim: Claim, watch: Watch) -> dict[str, Any]:
    """Do the job and return its result.

    Raises:
        JobStopped: someone asked for it, or another worker has the job.
        EngineError, GraphError: the plan cannot be made.
    """
    request = PlanRequest.of_json(claim.options)
    return make_plan(graph, settings, request, lambda done, doing: watch.report(done, "plan", doing))


def make_plan(
    graph: Graph, settings: Settings, request: PlanRequest, tell: Tell = lambda done, doing: None
) -> dict[str, Any]:
    """Return a plan as the API answers it.

    Args:
        graph: who agrees, who was reached, costs.
        settings: where model folders are; what an unknown age counts for.
        request: what is asked.
        tell: called between the steps with how much is done, in [0, 1], and what comes next; may raise.

    Raises:
        InputError, NotFoundError, ConflictError: as `graph.campaigns.check`.
        ArtifactError: the live version's folder is not here, or is too old to plan with.
        DataError: limits that cannot be obeyed, or nobody who may be chosen.
    """
    campaigns.check(graph, request)
    tell(0.05, "reading the version")
    model = read_plan_model(settings.artifacts / campaigns.live_version(graph))
    tell(0.1, "reading people")
    crowd = _Crowd.read(graph, settings, request, model, lambda: tell(0.1, "reading people"))
    rng = np.random.default_rng([request.seed, 3])
    tell(0.3, "fitting ties to what is promoted")
    wanted = pd.Index(model.item_ids).get_indexer(list(crowd.items))
    wanted = wanted[wanted >= 0]
    factor, edges = _suited(model, wanted, request.channel, rng)
    task = _task(request, model, crowd, edges, rng)
    found = plan(task, rng, lambda doing: tell(0.4 if doing.startswith("choosing") else 0.8, doing))
    reasons = _reasons(model, task, found, _taste(model.edges, factor, found.users))
    told = _told(request, model, crowd, task, found, reasons=reasons)
    told["interestLearned"] = model.spread is not None
    told["channelLearned"] = model.spread is not None and request.channel in model.spread.channels
    told["interest"] = "average" if not len(wanted) else "item" if request.item_id is not None else "category"
    if len(orjson.dumps(told)) > MAX_RESULT_BYTES:
        raise DataError(f"the plan is larger than {MAX_RESULT_BYTES:,} bytes: ask for fewer seeds")
    return told


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Users of the version as the graph has them now; each array (U,)."""

    items: tuple[str, ...]
    agreeing: NDArray[np.bool_]
    """Still there, consenting and old enough."""
    reached: NDArray[np.bool_]
    cost: NDArray[np.float64]
    """Minor units, nan where unknown; 1 each where nothing costs."""
    place: NDArray[np.object_]
    """Value of the attribute that says where a user belongs, None where unknown or not asked."""

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Who may be reached by the campaign."""
        return self.agreeing & ~self.reached

    @classmethod
    def read(
        cls, graph: Graph, settings: Settings, request: PlanRequest, model: PlanModel, tell: Callable[[], None]
    ) -> _Crowd:
        promoted = campaigns.promoted(graph, request)
        index, users = pd.Index(model.user_ids), len(model.user_ids)
        agreeing, friends = np.zeros(users, bool), np.zeros(users, np.int64)
        own, place = np.full(users, np.nan), np.full(users, None, object)
        cost = request.cost or CostModel(per_user_minor=1)
        today = time.gmtime()
        pages = campaigns.people(
            graph,
            cost=cost.attribute,
            place=request.quota_by,
            with_friends=cost.per_friend_minor > 0,
            with_age=promoted.min_age > 0,
            tell=tell,
        )
        for page in pages:
            row = index.get_indexer(page.ids)
            known = row >= 0
            old = [_is_old_enough(born, promoted.min_age, settings, today) for born in page.born] or True
            agreeing[row[known]] = np.broadcast_to(old, len(row))[known]
            for column, given in ((own, [_money(each) for each in page.costs]), (place, page.places),
                                  (friends, page.friends)):  # fmt: skip
                if given:
                    column[row[known]] = np.array(given, column.dtype)[known]
        reached = np.zeros(users, bool)
        if request.item_id is not None:
            rows = index.get_indexer(list(campaigns.reached(graph, request.item_id)))
            reached[rows[rows >= 0]] = True
        flat = np.nan if cost.per_user_minor is None else cost.per_user_minor + cost.per_friend_minor * friends
        return cls(promoted.items, agreeing, reached, np.where(np.isnan(own), flat, own).astype(np.float64), place)


def _task(
    request: PlanRequest, model: PlanModel, crowd: _Crowd, edges: EdgeProbabilities, rng: np.random.Generator
) -> Task:
    """Return what the engine is asked.

    Raises:
        DataError: someone named cannot be a seed.
    """
    index = pd.Index(model.user_ids)
    included = _named(request.include, model, crowd)
    what_if = _named(request.what_if, model, crowd) if request.what_if else None
    priced = ~np.isnan(crowd.cost)
    allowed = crowd.counted & priced
    rows = index.get_indexer(list(request.exclude))
    allowed[rows[rows >= 0]] = False
    group = None
    if request.quota_per_community is not None:
        by = request.quota_by
        group = communities(model.edges, rng) if by is None else pd.factorize(crowd.place)[0].astype(np.int64)
    limits = Limits(
        most=request.k or MOST_SEEDS,
        budget=float(request.budget_minor or np.inf),
        cost=None if request.cost is None else np.where(priced, crowd.cost, 1.0),
        allowed=allowed,
        included=included if len(included) else None,
        group=group,
        quota=request.quota_per_community or 0,
    )
    return Task(
        edges=edges,
        delays=model.delays,
        counted=crowd.counted,
        limits=limits,
        what_if=what_if,
        horizon_h=request.horizon_hours,
        effort=effort(request.epsilon, min(1.0 / max(len(model.user_ids), 1), LEAST_FAILURE)),
    )


def _suited(
    model: PlanModel, wanted: NDArray[np.integer], channel: str | None, rng: np.random.Generator
) -> tuple[NDArray[np.floating], EdgeProbabilities]:
    """Return how much more of it each user takes than of other things, (U,), and P(u->v) of what is wanted."""
    if model.spread is not None:
        return np.exp(model.spread.taste(wanted)), learned(model.edges, model.spread.log_odds(wanted, channel))
    factor = interest_factor(model.user_embedding, model.item_embedding[wanted], model.item_embedding, rng)
    return factor, suited(model.edges, factor)


def _named(ids: tuple[str, ...], model: PlanModel, crowd: _Crowd) -> NDArray[np.int64]:
    """Return the users named, (n,).

    Raises:
        DataError: one of them cannot be a seed; says why.
    """
    rows = pd.Index(model.user_ids).get_indexer(list(ids)).astype(np.int64)
    for user_id, row in zip(ids, rows, strict=True):
        if row < 0:
            raise DataError(
                f"{user_id} is newer than the version {model.model_version}: nothing is known of their reach"
            )
        if not crowd.agreeing[row]:
            raise DataError(f"{user_id} may not take part: consent or age")
        if crowd.reached[row]:
            raise DataError(f"{user_id} has shared or acted on the item already")
        if np.isnan(crowd.cost[row]):
            raise DataError(f"nothing says what {user_id} costs")
    return rows


def _told(
    request: PlanRequest, model: PlanModel, crowd: _Crowd, task: Task, found: Plan, *, reasons: list[list[str]]
) -> dict[str, Any]:
    asked = {name: value for name, value in request.to_json().items() if name not in ("include", "exclude", "whatIf")}
    is_priced = request.cost is not None
    seeds = [
        {
            "rank": rank,
            "userId": str(model.user_ids[user]),
            "costMinor": round(found.cost[rank - 1]) if is_priced else None,
            "marginalSpread": _short(found.marginal[rank - 1]),
            "spreadAlone": _short(found.alone[rank - 1]),
            "influenceScore": _short(model.influence_score[user]),
            "reasons": reasons[rank - 1],
        }
        for rank, user in enumerate(found.users.tolist(), start=1)
    ]
    comparisons = {
        name: {
            "spread": _short(rival.spread),
            "costMinor": round(rival.cost) if is_priced else None,
            "seeds": _short(rival.seeds),
        }
        for name, rival in found.rivals.items()
    }
    axis = {"costMinor" if is_priced else "seeds": found.axis, **found.curve}
    axis["spread"] = axis.pop("plan")
    allowed = task.counted if task.limits.allowed is None else task.limits.allowed
    return {
        **asked,
        "whatIf": task.what_if is not None,
        "modelVersion": model.model_version,
        "people": {
            "known": len(crowd.agreeing),
            "reachable": int(crowd.counted.sum()),
            "reachedBefore": int((crowd.agreeing & crowd.reached).sum()),
            "eligible": int(allowed.sum()),
        },
        "seeds": seeds,
        "costMinor": round(float(found.cost.sum())) if is_priced else None,
        "spread": _short(found.spread),
        "spreadLow": _short(found.low),
        "spreadHigh": _short(found.high),
        "bestSpreadHigh": None if found.best_high is None else _short(found.best_high),
        "guarantee": None if found.guarantee is None else _short(found.guarantee),
        "failureProbability": found.failure,
        "comparisons": comparisons,
        "curve": [
            {name: _short(value) for name, value in zip(axis, point, strict=True)}
            for point in zip(*axis.values(), strict=True)
        ],
    }


def _reasons(model: PlanModel, task: Task, found: Plan, taste: NDArray[np.float64]) -> list[list[str]]:
    """Return what speaks for each seed, of PLAN_REASONS."""
    included = set() if task.limits.included is None else set(task.limits.included.tolist())
    cheap = -np.inf
    if task.limits.cost is not None and task.limits.allowed is not None and task.limits.allowed.any():
        costs = task.limits.cost[task.limits.allowed]
        cheap = np.quantile(costs, CHEAP_QUANTILE) if costs.min() < costs.max() else -np.inf
    told = []
    for rank, user in enumerate(found.users.tolist()):
        holds = {
            "included": user in included,
            "influential": model.influence_percentile[user] >= INFLUENTIAL_PERCENTILE,
            "cheap": found.cost[rank] <= cheap,
            "newCircle": rank > 0 and found.marginal[rank] >= NEW_CIRCLE * found.alone[rank],
            "taste": taste[rank] >= TASTE,
        }
        told.append([name for name in PLAN_REASONS if holds[name]])
    return told


def _taste(edges: EdgeProbabilities, factor: NDArray[np.floating], users: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return the mean interest factor of those whom each user may reach, weighted by P, (k,); 0 without any."""
    weight = np.bincount(edges.source, edges.probability, edges.nodes)[users]
    liked = np.bincount(edges.source, edges.probability * factor[edges.target], edges.nodes)[users]
    return np.divide(liked, weight, out=np.zeros(len(users)), where=weight > 0)


def _money(value: object) -> float:
    """Return a cost in minor units, nan where the attribute is no whole number above 0."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else np.nan


def _is_old_enough(born: str | None, min_age: int, settings: Settings, today: time.struct_time) -> bool:
    years = None if born is None else years_between(born, (today.tm_year, today.tm_mon, today.tm_mday))
    return settings.unknown_age == "adult" if years is None else years >= min_age


def _short(value: float) -> float:
    return round(float(value), 4)
