"""P(u->v | i, c): what item and channel make of P(u->v), learned from share opportunities with binary cross-entropy.

An opportunity is a share of item i by u and a v at the other end of a tie of u's; the outcome is whether v acted on
that very share.

    log-odds P(u->v | i) = log-odds P(u->v) + w cos(z_v, z_i) + sum over groups g of i (w_g a_v,g + b_g) + b_c + base

The groups of an item are its category, its kind and itself. z are factors of who acted on what; a_v,g, of categories
and kinds, is how much more of v's acts go to g than of all acts, in logs and drawn to nothing where acts are few; b_g
how much more often than P says shares of g were acted on, likewise, and b_c those in the share's channel. The newest 30
% of the shares are cut into two windows, and P, factors and all counts are as of a window's start, so nothing that is
learned from has seen its own outcome. The second window tells whether the item is worth knowing; then both are fitted
on.

P is the chance whether or not the share is sent to v. Of those that were sent to v it is learned beside it:

    log-odds P(u->v | i, sent) = base + slope log-odds P(u->v | i)
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.propagation.censoring import between, end_of, exposure
from engine.propagation.comparison import compare
from engine.propagation.estimation import as_edges, posterior
from engine.propagation.friendpropagation.calibration import LEAST, Logistic, chance_of, fit_logistic
from engine.propagation.itemtaste import SIGNALS, Taste, channel_codes, channel_names, taste_of
from engine.propagation.outcomes import Act, acts_of, acts_shown, count_outcomes
from engine.propagation.pairlearning import BEGINNING_S, FEWEST, window_bounds
from engine.types import GraphSnapshot, ItemSpread

Float = NDArray[np.float64]
RIDGE = 30.0
MOST_ROWS = 400_000
"""Opportunities of a window; shares are drawn where there are more."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """Opportunities of a window."""

    signals: NDArray[np.float32]
    """(R, F) SIGNALS"""
    offset: Float
    """(R,) log-odds of P(u->v) as of the window's start."""
    acted: NDArray[np.bool_]
    weight: Float
    """(R,) 1 of those acted on, of the others how much of the share's time has been seen."""
    share: NDArray[np.int64]
    """(R,) which share."""
    sent: NDArray[np.bool_]
    """Whether it was sent to v."""

    def log_odds(self, line: Logistic) -> Float:
        """Return those of acting, (R,)."""
        return self.offset + line.log_odds(self.signals)

    def of(self, chosen: NDArray[np.bool_]) -> _Rows:
        """Return some of the rows."""
        return _Rows(**{each.name: getattr(self, each.name)[chosen] for each in fields(self)})


def learn_item_spread(snapshot: GraphSnapshot, seed: int) -> tuple[ItemSpread | None, dict[str, Any]]:
    """Return what items add to P(u->v), and what was compared.

    The card's `model` is `item` where items and channels are worth knowing, `pair` where they are not and add nothing,
    `none` (and None) where that is not known: no act, or too few in a window. They are used if the cross-entropy on the
    second window is lower by more than the standard error of the difference (shares as units) than that of P with a
    base fitted on the first. `channels` has what each adds, `sent` base and slope of what is sent to somebody, chosen
    likewise.
    """
    shown = acts_shown(snapshot)
    bounds = window_bounds(snapshot) if shown else None
    if not shown or bounds is None:
        return None, {"model": "none", "reason": "too few shares were acted on"}
    channels = channel_names(snapshot)
    first, second = (_window(snapshot, shown[0], span, channels, seed) for span in pairwise(bounds))
    acts = [int(rows.acted.sum()) for rows in (first, second)]
    if min(acts) < FEWEST:
        return None, {"model": "none", "reason": f"{min(acts)} acts in a window; at least {FEWEST} are needed"}
    base, line = _fit([first], items=False), _fit([first])
    told = _compare(second, pair=second.log_odds(base), item=second.log_odds(line)) | {"act": shown[0], "acts": acts}
    if told["model"] == "pair":
        nothing = Logistic(0.0, np.zeros_like(line.slope))
        told["sent"] = _learn_sent(first, second, nothing, nothing)
        width, users, items = 1, len(snapshot.users), len(snapshot.items)
        return ItemSpread(np.zeros((users, width), np.float32), np.zeros((items, width), np.float32),
                          np.zeros(items, np.float32)), told  # fmt: skip
    known = count_outcomes(snapshot, shown[0], exposure(snapshot, end_of(snapshot)))
    edges = as_edges(known, *posterior(known))
    chosen, taste = _fit([first, second]), taste_of(snapshot, shown[0], edges, channels, seed)
    told["weights"] = dict(zip(SIGNALS, np.round(chosen.slope, 4).tolist(), strict=True))
    told["sent"] = _learn_sent(first, second, line, chosen)
    in_channel = chosen.slope[-1] * taste.channel
    usual = float(in_channel[channel_codes(snapshot, channels)].mean())
    told["channels"] = dict(zip(channels, (in_channel[1:] - usual).tolist(), strict=True))
    return _folded(taste, Logistic(chosen.base + usual, chosen.slope), told["channels"]), told


def _learn_sent(first: _Rows, second: _Rows, line: Logistic, chosen: Logistic) -> dict[str, Any]:
    """Return base and slope by which the log-odds of what is sent differ, and what was compared.

    Args:
        first: opportunities of the first window.
        second: of the second.
        line: what items add, by the first window alone.
        chosen: what they add in the version.
    """
    first, second = first.of(first.sent), second.of(second.sent)
    same = {"model": "same", "base": 0.0, "slope": 1.0}
    acts = [int(rows.acted.sum()) for rows in (first, second)]
    spared = min(len(rows.acted) - acted for rows, acted in zip((first, second), acts, strict=True))
    if min(*acts, spared) < FEWEST:
        return same | {"reason": f"fewer than {FEWEST} shares of a window were sent and acted on, or not acted on"}
    fitted = _fit_sent([first], line)
    plain = second.log_odds(line)
    told = _compare(second, same=plain, sent=fitted.log_odds(plain[:, None])) | {"acts": acts}
    if told["model"] == "same":
        return told | same
    fitted = _fit_sent([first, second], chosen)
    return told | {"base": fitted.base, "slope": float(fitted.slope[0])}


def _fit_sent(windows: list[_Rows], line: Logistic) -> Logistic:
    """Return a line of the log-odds whose slope is drawn to 1."""
    odds = np.concatenate([rows.log_odds(line) for rows in windows])
    acted, weight = (np.concatenate([getattr(rows, name) for rows in windows]) for name in ("acted", "weight"))
    middle = float(np.average(odds, weights=weight))
    found = fit_logistic((odds - middle)[:, None], acted, ridge=RIDGE, weight=weight, offset=odds)
    return Logistic(found.base - float(found.slope[0]) * middle, 1.0 + found.slope)


def _folded(taste: Taste, line: Logistic, channels: dict[str, float]) -> ItemSpread:
    """Return the items' signals, weighed, as products of rows: one for each user, one for each item."""
    user, item = [taste.user], [taste.item * line.slope[0]]
    for leaning, group, weight in zip(taste.leaning, taste.group, line.slope[1:], strict=False):
        user.append(leaning)
        item.append(weight * (group[:, None] == np.arange(leaning.shape[1])))
    bias = line.base + taste.spread @ line.slope[1 + len(taste.group) : -1]
    rows = (np.concatenate(each, axis=1).astype(np.float32) for each in (user, item))
    return ItemSpread(*rows, bias.astype(np.float32), channels)


def _window(snapshot: GraphSnapshot, act: Act, span: tuple[int, int], channels: list[str], seed: int) -> _Rows:
    """Return the opportunities of the shares of a span [start_s, end_s) along ties known at its start."""
    start_s, end_s = span
    past, later = between(snapshot, BEGINNING_S, start_s), between(snapshot, start_s, end_s)
    known = count_outcomes(past, act, exposure(past, start_s))
    rate, worth = posterior(known)
    taste = taste_of(past, act, as_edges(known, rate, worth), channels, seed)
    ties = np.bincount(known.source, minlength=known.users)
    begin = np.cumsum(ties) - ties
    u, i = later.shares.source.astype(np.int64), later.shares.target.astype(np.int64)
    drawn = np.random.default_rng([seed, 23]).permutation(len(u))
    drawn = np.sort(drawn[: int(np.searchsorted(np.cumsum(ties[u[drawn]]), MOST_ROWS, side="right"))])
    share = np.repeat(drawn, ties[u[drawn]])
    tie = (
        np.arange(len(share)) - np.repeat(np.cumsum(ties[u[drawn]]) - ties[u[drawn]], ties[u[drawn]]) + begin[u[share]]
    )
    v = known.target[tie].astype(np.int64)
    parent = later.shares.columns["parent"]
    # Who made u reshare has acted before.
    is_new = v != np.where(parent[share] >= 0, u[np.maximum(parent[share], 0)], -1)
    share, tie, v = share[is_new], tie[is_new], v[is_new]
    users = max(known.users, 1)
    acted_on, actor = acts_of(later, act)
    acted = np.isin(share * users + v, acted_on * users + actor)
    sent = np.isin(share * users + v, later.sends.source.astype(np.int64) * users + later.sends.target)
    chance = np.clip(rate[tie], LEAST, 1.0 - LEAST)
    return _Rows(
        taste.signals(v, i[share], channel_codes(later, channels)[share]),
        np.log(chance / (1.0 - chance)),
        acted,
        np.where(acted, 1.0, exposure(later, end_s)[share]),
        share,
        sent,
    )


def _fit(windows: list[_Rows], *, items: bool = True) -> Logistic:
    """Return what is added to the log-odds of P: a base, and what the items' signals say unless they are left out."""
    signals = np.concatenate([rows.signals for rows in windows])
    acted, weight, offset = (
        np.concatenate([getattr(rows, name) for rows in windows]) for name in ("acted", "weight", "offset")
    )
    used = signals if items else signals[:, :0]
    line = fit_logistic(used, acted, ridge=RIDGE, weight=weight, offset=offset)
    return line if items else Logistic(line.base, np.zeros(signals.shape[1]))


def _compare(rows: _Rows, **log_odds: Float) -> dict[str, Any]:
    """Return what `compare` tells of two models of a window, the simpler first, each by its log-odds (R,)."""
    chances = {name: chance_of(each) for name, each in log_odds.items()}
    acts = rows.weight * rows.acted
    return compare(rows.weight, acts, rows.share, **chances) | {"opportunities": len(rows.acted)}
