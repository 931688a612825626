"""The model card: what a version was made of, what was chosen, how it does on the cut and on parts of it.

Everything here is a function of snapshot, settings and seed; seconds go to the folder's side file. What the graph and
the API keep of it is bounded by `engine.artifact.card`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import Truth, bootstrap_interval, coverage_at, hit_matrix, ndcg_at, recall_at, top_k
from engine.interest.data import InterestData
from engine.interest.evaluate import LIST, PerUser, measure, measure_popularity
from engine.interest.fitting import Candidates, measure_calibration
from engine.interest.linear import HALF_LIVES_DAYS
from engine.interest.model import Choice
from engine.interest.ranker import Ranker, block_users
from engine.serving.blend import blend, contributions
from engine.types import INTERACTION_TYPES, NO_TIME, GraphSnapshot

SLICE_METRICS = ("recall@20", "ndcg@20")
LEAST_USERS = 10
"""A slice of fewer users is left out: its interval says nothing, and few people would be told apart."""
MOST_VALUES = 8
"""Values of an attribute that get a slice of their own, those of most users; the others share one."""
NAME_CHARACTERS = 64
AGES = (18, 25, 35, 50, 65)
"""Where groups of age begin, years."""
YEAR_S = 31_556_952
HELD_OUT = "10 % of each user's positives, the newest where times are known, unseen by every choice"
CONSENT = (
    "only users who agreed to personalisation when the snapshot was taken, and their acts, are in the data; "
    "a version is published without those who have taken it back since"
)


def describe_data(snapshot: GraphSnapshot, data: InterestData, weights: Mapping[str, float]) -> dict[str, Any]:
    """Return what the model learned from: counts by kind of act with their weight, the span of time, consent."""
    kinds = np.bincount(snapshot.interactions.columns["type"], minlength=len(INTERACTION_TYPES))
    acts = {name: int(kinds[code]) for code, name in enumerate(INTERACTION_TYPES)} | {"SHARED": len(snapshot.shares)}
    when = np.concatenate([snapshot.interactions.columns["occurred_at_s"], snapshot.shares.columns["occurred_at_s"]])
    known = when[when != NO_TIME]
    return {
        "snapshot": {"id": snapshot.snapshot_id, "watermarkS": snapshot.watermark_s},
        "users": data.users,
        "items": data.items,
        "positives": len(data.positives),
        "friendships": len(data.friends) // 2,
        "usersWithoutHistory": int((data.positives.degree == 0).sum()),
        "acts": {name: {"count": n, "weight": weights.get(name, 0.0)} for name, n in acts.items() if n},
        "span": {"first": _instant(known.min()), "last": _instant(known.max())} if len(known) else None,
        "actsWithoutTime": int((when == NO_TIME).sum()),
        "consent": CONSENT,
    }


def describe_choice(choice: Choice) -> dict[str, Any]:
    """Return what was compared on the cut's validation part, and what came of it."""
    linear, encoder = choice.linear, choice.ranker.models.encoder
    best = max(encoder.history, key=lambda line: np.nan_to_num(line["ndcg@20"]), default=None)
    timed = choice.cut.data.age_days is not None
    return {
        "comparedOn": {
            "users": len(choice.cut.validation),
            "coldUsers": len(choice.cut.cold),
            "heldOut": "each user's newest positives" if timed else "each user's positives, drawn at random",
        },
        "itemitem": {
            "form": linear.form,
            "ridge": linear.ridge,
            "compared": [{"form": form, "ridge": ridge, "ndcg@20": ndcg} for form, ridge, ndcg in linear.compared],
        },
        "halfLifeDays": {
            "chosen": choice.half_life_days if np.isfinite(choice.half_life_days) else None,
            "compared": [days if np.isfinite(days) else None for days in HALF_LIVES_DAYS] if timed else [],
        },
        "encoder": {
            "steps": encoder.steps,
            "stoppedAt": None if best is None or not np.isfinite(best["ndcg@20"]) else best["ndcg@20"],
            "checks": len(encoder.history),
        },
        "weights": {key: value for key, value in choice.weights.to_json().items() if key != "calibration"},
    }


def evaluate(choice: Choice, seed: int, held_out: str = HELD_OUT) -> tuple[dict[str, Any], PerUser, NDArray[np.int32]]:
    """Measure the cut's model and popularity on items that nothing was chosen on; `held_out` says which those are.

    Returns:
        The section of the card, every metric per user (N,), and the lists (N, 20) of `choice.cut.test`.
    """
    cut = choice.cut
    if not len(cut.test):
        return {"users": 0, "heldOut": held_out}, {}, np.zeros((0, LIST), dtype=np.int32)
    per_user, top = measure(choice.ranker, choice.weights, cut.test)
    popular = measure_popularity(cut.data, cut.test)
    section = {
        "users": len(cut.test),
        "heldOut": held_out,
        "model": {**summary(per_user, seed), "coverage@20": coverage_at(top, cut.data.items, LIST)},
        "popularity": summary(popular, seed),
    }
    return section, per_user, top


def summary(values: PerUser, seed: int, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return each metric's mean, and under `interval` its 95 % user-bootstrap interval."""
    chosen = names or tuple(values)
    return {name: float(values[name].mean()) for name in chosen} | {
        "interval": {name: bootstrap_interval(values[name], seed) for name in chosen}
    }


def slices(
    snapshot: GraphSnapshot, choice: Choice, per_user: PerUser, top: NDArray[np.int32], seed: int
) -> dict[str, Any]:
    """Return Recall@20 and NDCG@20 of parts of the cut: by activity, attributes, popularity and kind of the items."""
    if not len(top):
        return {}
    users, data = choice.cut.test.user, choice.cut.data
    quarter = quartile(data.positives.degree[users])
    found: dict[str, Any] = {
        "activity": _by_user({f"quartile {n + 1}": quarter == n for n in range(4)}, per_user, seed),
        "cold": _cold(choice, seed),
    }
    for name, values in _attributes(snapshot).items():
        found[name] = _by_user(_groups(values[users]), per_user, seed)
    found["popularity"] = _by_item(_halves(data), choice.cut.test, top, seed)
    kind = snapshot.items.columns.get("kind")
    if kind is not None:
        parts = {str(value): kind == value for value in ("product", "content")}
        found["kind"] = _by_item(parts, choice.cut.test, top, seed)
    return found


def calibration(choice: Choice) -> dict[str, Any] | None:
    """Return how well the chances are calibrated among the items that compete, measured crosswise on the cut."""
    warm = choice.warm
    if warm is None:
        return None
    measured = measure_calibration(warm, _blended(warm, choice))
    return {key: value for key, value in measured.items() if np.isfinite(value)}


def describe_training(choice: Choice, ranker: Ranker) -> dict[str, Any]:
    """Return how the encoder was trained on the cut, and what was then done on all data."""
    fitted, encoder = choice.ranker.models.encoder, ranker.models.encoder
    return {
        "device": fitted.device,
        "epochs": fitted.epochs,
        "steps": fitted.steps,
        "stepsOnAllData": encoder.steps,
        "loss": fitted.history[-1]["loss"],
        "history": [{k: v for k, v in line.items() if np.isfinite(v)} for line in fitted.history],
        "itemitem": {"form": choice.linear.form, "ridge": choice.linear.ridge},
        "halfLifeDays": choice.half_life_days if np.isfinite(choice.half_life_days) else None,
        "relations": [".".join(name) for name in encoder.relations.names],
    }


def sizes(tables: Mapping[str, NDArray[Any]], weights: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    """Return the bytes of tables and weights, and how many numbers the weights are."""
    return {
        "tablesBytes": sum(int(each.nbytes) for each in tables.values()),
        "weightsBytes": sum(int(each.nbytes) for each in weights.values()),
        "weights": sum(int(each.size) for each in weights.values()),
    }


def quartile(acts: NDArray[np.integer]) -> NDArray[np.int64]:
    """(N,) 0 for the quarter of the users with the fewest acts to 3 for the most; equal numbers stay together."""
    if not len(acts):
        return np.zeros(0, dtype=np.int64)
    bounds = np.quantile(acts, [0.25, 0.5, 0.75], method="higher")
    return np.searchsorted(bounds, acts, side="left")


def restricted(top: NDArray[np.int32], truth: Truth, is_in: NDArray[np.bool_]) -> PerUser:
    """Return Recall@20 and NDCG@20 of users who have a held-out item among the chosen items (I,), of those alone."""
    row = np.repeat(np.arange(len(truth)), truth.counts)
    kept = is_in[truth.item]
    counts = np.bincount(row[kept], minlength=len(truth)).astype(np.int64)
    part = Truth(truth.user, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), truth.item[kept])
    some = counts > 0
    hits = hit_matrix(top, part)[some]
    return {"recall@20": recall_at(hits, counts[some], LIST), "ndcg@20": ndcg_at(hits, counts[some], LIST)}


def _by_item(parts: dict[str, NDArray[np.bool_]], truth: Truth, top: NDArray[np.int32], seed: int) -> dict[str, Any]:
    measured = {name: restricted(top, truth, is_in) for name, is_in in parts.items()}
    return {
        name: {"users": len(values["ndcg@20"]), "items": int(parts[name].sum()), **summary(values, seed)}
        for name, values in measured.items()
        if len(values["ndcg@20"]) >= LEAST_USERS
    }


def _by_user(parts: dict[str, NDArray[np.bool_]], per_user: PerUser, seed: int) -> dict[str, Any]:
    found = {}
    for name, rows in parts.items():
        if rows.sum() >= LEAST_USERS:
            values = {metric: per_user[metric][rows] for metric in SLICE_METRICS}
            found[name] = {"users": int(rows.sum()), **summary(values, seed)}
    return found


def _cold(choice: Choice, seed: int) -> dict[str, Any] | None:
    """Measure the users who were stripped of their history, all items ranked by the weights of cold users."""
    ranker, truth = choice.ranker, choice.cut.cold
    if len(truth) < LEAST_USERS:
        return None
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in SLICE_METRICS}
    size = block_users(ranker.data.items)
    for start in range(0, len(truth), size):
        part = truth.take(np.arange(start, min(start + size, len(truth))))
        contributed = contributions(ranker.cold_parts(part.user), choice.weights.cold)
        hits = hit_matrix(top_k(blend(contributed, (len(part), ranker.data.items)), LIST), part)
        found["recall@20"].append(recall_at(hits, part.counts, LIST))
        found["ndcg@20"].append(ndcg_at(hits, part.counts, LIST))
    values = {name: np.concatenate(each) for name, each in found.items()}
    note = "weights of cold users were fitted on these users"
    return {"users": len(truth), **summary(values, seed), "note": note}


def _halves(data: InterestData) -> dict[str, NDArray[np.bool_]]:
    """Return the most popular items that together have half of the acts, and all others."""
    count = np.bincount(data.positives.indices, minlength=data.items)
    order = np.argsort(-count, kind="stable")
    before = np.cumsum(count[order]) - count[order]
    head = np.zeros(data.items, dtype=bool)
    head[order[2 * before < count.sum()]] = True
    return {"head": head, "tail": ~head}


def _attributes(snapshot: GraphSnapshot) -> dict[str, NDArray[np.object_]]:
    """Return the users' group of age and city where the graph has them, "" where one is not known."""
    columns = snapshot.users.columns
    found = {name: columns[name] for name in ("ageGroup", "city") if columns.get(name) is not None}
    if "ageGroup" not in found and "birthDate" in columns:
        found["ageGroup"] = np.array(
            [age_group(value, snapshot.watermark_s) for value in columns["birthDate"]], dtype=object
        )
    return {name: _texts(values) for name, values in found.items() if values.dtype == object}


def age_group(birth_date: Any, now_s: int) -> str:
    """Return a group of age such as `25 to 34`; "" for what is no date."""
    try:
        born = datetime.fromisoformat(str(birth_date)[:10]).replace(tzinfo=UTC)
    except ValueError:
        return ""
    years = (now_s - born.timestamp()) / YEAR_S
    place = int(np.searchsorted(AGES, years, side="right"))
    if place == 0:
        return f"under {AGES[0]}"
    return f"{AGES[-1]} or more" if place == len(AGES) else f"{AGES[place - 1]} to {AGES[place] - 1}"


def _texts(values: NDArray[np.object_]) -> NDArray[np.object_]:
    return np.array([value[:NAME_CHARACTERS] if isinstance(value, str) else "" for value in values], dtype=object)


def _groups(values: NDArray[np.object_]) -> dict[str, NDArray[np.bool_]]:
    names, counts = np.unique(values[values != ""].astype(str), return_counts=True)
    largest = [str(name) for name in names[np.argsort(-counts, kind="stable")][:MOST_VALUES]]
    parts = {name: values == name for name in largest}
    rest = (values != "") & ~np.isin(values.astype(str), largest)
    return {**parts, "(others)": rest, "(not known)": values == ""}


def _blended(warm: Candidates, choice: Choice) -> NDArray[np.float32]:
    """Return (N, C) blended scores, each user by the weights of their segment."""
    total = warm.total(choice.weights.warm)
    if choice.weights.busy is not None:
        is_busy = warm.acts >= choice.weights.busy_from
        total[is_busy] = warm.take(is_busy).total(choice.weights.busy)
    return total


def _instant(at_s: Any) -> str:
    return datetime.fromtimestamp(int(at_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
