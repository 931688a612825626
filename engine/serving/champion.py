"""Champion and challenger: whether a new version is worse than the published one. Numpy only.

Two rules, in this order:

- paired: on what the challenger's cut held out and what first happened after the champion's snapshot, so that neither
  version has seen it. Each ranks by the model of its own cut, what the user knows by now left out: both were fitted the
  same way, without a fifth of their own data. (The champion's published lists were not: a challenger's cut model, which
  lacks each user's newest acts, loses to them although nothing is wrong with it.) The challenger is worse where the
  one-sided 95 % bound of the mean difference of NDCG@20, by a bootstrap of the users, is below 0.
- recorded: where fewer than `LEAST_PAIRED_USERS` have such items, by each version's own cut: the challenger is worse
  where the upper end of its 95 % interval of NDCG@20 is below the lower end of the champion's.

A challenger that was trained further from another version (`engine.serving.lineage`) has seen everything but the newer
pairs that its cut holds out, and its cut's model lacks no fifth. So it is compared with the champion's published lists,
which come from a model of the same making, and by the paired rule alone: figures of its cut are of other items. For the
same reason a challenger that was trained in full is compared with the full version that an incremental champion's chain
began with, which the caller names.

Where none of this can be applied, nothing is known against the challenger.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.artifact import read_ids, read_tables
from engine.artifact.columns import check_range
from engine.errors import ArtifactError
from engine.evaluation import Truth, hit_matrix, ndcg_at
from engine.serving.lineage import of_card

LEAST_PAIRED_USERS = 200
LATE_S = 300
"""An event may say a time so far ahead of the clock: what is this little newer than a snapshot may be in it."""
DRAWS = 2_000
LIST = 20
KEPT = 100
"""Length of the lists that a cut keeps: what the user has come to know since leaves them."""
METRIC = "ndcg@20"
TABLES = ("user", "indptr", "item", "first_at_s", "list", "known_indptr", "known_item")

Metrics = Mapping[str, Any]
Tables = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a challenger may be published, by which rule, and the figures."""

    is_worse: bool
    rule: str
    """`paired`, `recorded` or `none`."""
    reason: str
    """One line for a person."""
    champion: str | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as JSON-able values."""
        return {
            **self.figures,
            "isWorse": self.is_worse,
            "rule": self.rule,
            "reason": self.reason,
            "champion": self.champion,
        }


def compare(challenger: Path, challenger_metrics: Metrics, champion: Path, champion_metrics: Metrics) -> Verdict:
    """Judge a challenger by the first rule that applies.

    Args:
        challenger: its folder.
        challenger_metrics: its card.
        champion: the folder of the published version; it may be gone. For a challenger that was trained in full: of
            the full version at the beginning of the champion's chain.
        champion_metrics: the card of that version.

    Raises:
        ArtifactError: what a folder says of its cut contradicts itself.
    """
    name = champion.name
    own, other = of_card(challenger_metrics), of_card(champion_metrics)
    is_further = own is not None and own.is_incremental
    if other is not None and other.is_incremental and not is_further:
        said = f"{name} was trained further from {other.full}, which is not known here; nothing was compared"
        return Verdict(False, "none", said, name)
    try:
        difference, means = _unseen_pairs(challenger, champion, champion_metrics, is_further=is_further)
    except _NotComparableError as why_not:
        if is_further:
            return Verdict(False, "none", f"nothing was compared: {why_not}", name)
        return judge_recorded(challenger_metrics, champion_metrics, name, str(why_not))
    return judge_paired(difference, name, means)


def judge_paired(
    difference: NDArray[np.float64], champion: str, means: Mapping[str, float], *, seed: int = 0
) -> Verdict:
    """Judge by NDCG@20 of challenger minus champion per user (N,), N > 0."""
    rng = np.random.default_rng(seed)
    size = len(difference)
    drawn = np.array([difference[rng.integers(0, size, size)].mean() for _ in range(DRAWS)])
    upper = float(np.quantile(drawn, 0.95))
    mean = float(difference.mean())
    figures = {"users": size, "metric": METRIC, "difference": mean, "upper": upper, **means}
    said = (
        f"{METRIC} differs from {champion}'s by {mean:+.4f} on {size} users with items that neither has seen "
        f"(one-sided 95 % bound {upper:+.4f})"
    )
    return Verdict(upper < 0.0, "paired", said, champion, figures)


def judge_recorded(challenger: Metrics, champion: Metrics, name: str, why_not: str = "") -> Verdict:
    """Judge by what each version's card says of its own cut."""
    own, other = recorded(challenger), recorded(champion)
    if own is None or other is None:
        who = "this version" if own is None else name
        return Verdict(False, "none", f"{who} has no figures of a cut to compare by", name)
    figures = {
        "metric": METRIC,
        "challengerMean": own[0],
        "challengerInterval": [own[1], own[2]],
        "championMean": other[0],
        "championInterval": [other[1], other[2]],
        "whyNotPaired": why_not,
    }
    said = (
        f"{METRIC} on its own cut is {own[0]:.4f} ({own[1]:.4f} to {own[2]:.4f}); "
        f"{name} had {other[0]:.4f} ({other[1]:.4f} to {other[2]:.4f})"
    )
    return Verdict(own[2] < other[1], "recorded", said, name, figures)


def recorded(metrics: Metrics) -> tuple[float, float, float] | None:
    """Return NDCG@20 on the cut and its 95 % interval, None where the card has none."""
    model = (metrics.get("evaluation") or {}).get("model") or {}
    interval = (model.get("interval") or {}).get(METRIC)
    if METRIC not in model or not interval:
        return None
    value, low, high = float(model[METRIC]), float(interval[0]), float(interval[1])
    return (value, low, high) if all(map(math.isfinite, (value, low, high))) else None


class _NotComparableError(Exception):
    """The two cannot be scored on the same; the message says why."""


def _unseen_pairs(
    challenger: Path, champion: Path, champion_metrics: Metrics, *, is_further: bool
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Return the differences of NDCG@20 (N,) and both means.

    Args:
        challenger: its folder.
        champion: its folder.
        champion_metrics: its card.
        is_further: whether the challenger was trained further from another version.

    Raises:
        _NotComparableError: there is no paired comparison.
        ArtifactError: a folder contradicts itself.
    """
    watermark_s = ((champion_metrics.get("data") or {}).get("snapshot") or {}).get("watermarkS")
    if watermark_s is None:
        raise _NotComparableError("the published version does not say when its snapshot was taken")
    if not champion.is_dir():
        raise _NotComparableError("the published version's folder is not on this machine")
    tables, older = _held_out(challenger), (_published if is_further else _held_out)(champion)
    if tables is None or older is None:
        who = "this" if tables is None else "the published"
        raise _NotComparableError(f"{who} version does not hold what its cut held out")
    rows, truth = _newer(tables, int(watermark_s) + LATE_S)
    if len(rows) < LEAST_PAIRED_USERS:
        raise _NotComparableError(f"{len(rows)} users have held-out items that the published version has not seen")
    kept, lists = champion_lists(tables, older, rows)
    if len(kept) < LEAST_PAIRED_USERS:
        both = "are known to" if is_further else "were held out by"
        raise _NotComparableError(f"{len(kept)} users {both} both versions")
    truth = truth.take(kept)
    own = ndcg_at(hit_matrix(tables["list"][rows[kept], :LIST], truth), truth.counts, LIST)
    other = ndcg_at(hit_matrix(lists, truth), truth.counts, LIST)
    return own - other, {"challengerMean": float(own.mean()), "championMean": float(other.mean())}


def _held_out(folder: Path) -> Tables | None:
    """Return what a version's cut held out, with the ids of its users and items; None where the folder has none.

    Raises:
        ArtifactError: it contradicts itself.
    """
    arrays, ids = read_tables(folder), read_ids(folder)
    if any(f"heldout_{name}" not in arrays for name in TABLES):
        return None
    tables: Tables = {name: arrays[f"heldout_{name}"] for name in TABLES}
    _check(tables, len(ids["user"]), len(ids["item"]))
    return {**tables, "user_ids": ids["user"], "item_ids": ids["item"]}


def _published(folder: Path) -> Tables:
    """Return a version's published lists as if they were those of a cut that held out something of every user.

    Raises:
        ArtifactError: the lists do not fit.
    """
    ids, lists = read_ids(folder), read_tables(folder).get("recommended_target")
    if lists is None or lists.ndim != 2 or len(lists) != len(ids["user"]):
        raise ArtifactError("table recommended_target does not fit the users")
    check_range(lists, -1, len(ids["item"]), "table recommended_target")
    return {"user": np.arange(len(lists)), "list": lists, "user_ids": ids["user"], "item_ids": ids["item"]}


def _newer(tables: Tables, after_s: int) -> tuple[NDArray[np.intp], Truth]:
    """Return the rows that have held-out items whose first act is later, and those items."""
    user, indptr = tables["user"], tables["indptr"]
    kept = tables["first_at_s"] > after_s
    row = np.repeat(np.arange(len(user)), np.diff(indptr))[kept]
    rows, counts = np.unique(row, return_counts=True)
    bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return rows, Truth(user[rows], bounds, tables["item"][kept])


def champion_lists(tables: Tables, older: Tables, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Return the champion's lists of the challenger's users, without what these know by the challenger's cut.

    Args:
        tables: what the challenger's cut held out.
        older: what the champion's cut held out, or its published lists.
        rows: (N,) users, rows of `tables`.

    Returns:
        Positions (M,) in `rows` of the users whom both held out, ascending, and their lists (M, 20): items of the
        challenger, -1 where a list is shorter.
    """
    row_of = {name: row for row, name in enumerate(older["user_ids"][older["user"]].tolist())}
    own_item = {name: place for place, name in enumerate(tables["item_ids"].tolist())}
    names = older["item_ids"].tolist()
    to_challenger = np.array([*(own_item.get(name, -1) for name in names), -1], dtype=np.int32)  # the last: no item
    kept: list[int] = []
    lists: list[NDArray[np.int32]] = []
    for place, name in enumerate(tables["user_ids"][tables["user"][rows]].tolist()):
        if name not in row_of:
            continue
        indptr, row = tables["known_indptr"], rows[place]
        known = tables["known_item"][indptr[row] : indptr[row + 1]]
        listed = to_challenger[older["list"][row_of[name]]]
        listed = listed[(listed >= 0) & ~np.isin(listed, known)][:LIST]
        kept.append(place)
        lists.append(np.pad(listed, (0, LIST - len(listed)), constant_values=-1))
    return np.array(kept, dtype=np.intp), np.array(lists, dtype=np.int32).reshape(-1, LIST)


def _check(part: Tables, users: int, items: int) -> None:
    """Refuse held-out tables whose indices do not fit."""
    rows = len(part["user"])
    for bounds, values in (("indptr", "item"), ("known_indptr", "known_item")):
        ends = part[bounds]
        if len(ends) != rows + 1 or ends[0] != 0 or ends[-1] != len(part[values]) or (np.diff(ends) < 0).any():
            raise ArtifactError(f"table heldout_{bounds} does not fit its rows")
    if part["list"].ndim != 2 or len(part["list"]) != rows or len(part["first_at_s"]) != len(part["item"]):
        raise ArtifactError("tables of what the cut held out differ in length")
    for name, low, high in (("user", 0, users), ("item", 0, items), ("known_item", 0, items), ("list", -1, items)):
        check_range(part[name], low, high, f"table heldout_{name}")
    if rows > 1 and (np.diff(part["user"]) <= 0).any():
        raise ArtifactError("table heldout_user is not ascending")
