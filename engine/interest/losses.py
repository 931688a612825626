"""Losses of the encoder and of the plain baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.interest.encoder import Neighbourhood


class _LogPartition(torch.autograd.Function):
    """log sum_j exp(u_i . v_j - shift_j) with one dense block alive, which the gradient reuses in place."""

    @staticmethod
    def forward(ctx: Any, users: Tensor, items: Tensor, bound: float, shift: Tensor | None) -> Tensor:
        weight = users @ items.T
        weight -= bound if shift is None else shift + bound
        total = weight.exp_().sum(dim=1)
        ctx.save_for_backward(users, items, weight, total)
        return total.log() + bound

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        users, items, weight, total = ctx.saved_tensors
        weight *= (gradients[0] / total)[:, None]
        return weight @ items, weight.T @ users, None, None


def cosine_softmax(
    users: Tensor,
    items: Tensor,
    positives: Neighbourhood,
    row_weight: Tensor,
    temperature: float,
    *,
    rivals: Tensor | None = None,
    log_expected: Tensor | None = None,
    hardness: float = 0.0,
) -> Tensor:
    """Cross-entropy of every positive against all items (or a sample of them) at cosine / temperature.

    Wu et al., On the Effectiveness of Sampled Softmax Loss for Item Recommendation (2022), eq. 4; the correction of
    a sampled denominator is Bengio and Senecal (2008): logits minus the log of the expected count in the sample. Hard
    negatives: every rival weighs exp(hardness * logit) over the mean of that (Robinson et al., ICLR 2021, eq. 4).

    Args:
        users: (B, D) unit rows.
        items: (I, D) unit rows.
        positives: (B, I) weights of the batch's positives.
        row_weight: (B,) sums of the rows of `positives`, total > 0.
        temperature: tau > 0.
        rivals: (S, D) unit rows of the sampled items; None for all items.
        log_expected: (S,) log of the expected count of each sampled item; None with all items.
        hardness: >= 0; 0 weighs all rivals alike.

    Returns:
        The weighted mean, a scalar. The denominator counts a user's other positives as rivals, as the paper does.
    """
    scaled = users / temperature
    against = items if rivals is None else rivals
    if hardness == 0:
        log_total = _LogPartition.apply(scaled, against, 1.0 / temperature, log_expected)
    else:
        sharper, tilt = scaled * (1.0 + hardness), scaled * hardness
        log_total = _LogPartition.apply(sharper, against, (1.0 + hardness) / temperature, log_expected)
        log_total = log_total - _LogPartition.apply(tilt, against, hardness / temperature, log_expected)
        log_total = log_total + (np.log(len(items)) if log_expected is None else (-log_expected).logsumexp(dim=0))
    positive = (scaled * positives.multiply(items)).sum()
    return ((row_weight * log_total).sum() - positive) / row_weight.sum()


def pairwise(users: Tensor, positive: Tensor, negative: Tensor, weight: Tensor, temperature: float) -> Tensor:
    """Bayesian personalised ranking at cosine / temperature (Rendle et al., UAI 2009, eq. 4), weighted mean.

    Args:
        users: (P, D) unit rows, one per positive.
        positive: (P, D) unit rows of the items acted on.
        negative: (P, D) unit rows of one drawn item each.
        weight: (P,) > 0.
        temperature: tau > 0.
    """
    margin = (users * (positive - negative)).sum(dim=1) / temperature
    return (weight * functional.softplus(-margin)).sum() / weight.sum()


def binary_cross_entropy(positive: Tensor, negative: Tensor, weight: Tensor) -> Tensor:
    """Mean of -log sigma(positive) and -log(1 - sigma(negative)), each (P,), weighted by the positives' weights."""
    both = functional.softplus(-positive) + functional.softplus(negative)
    return (weight * both).sum() / (2.0 * weight.sum())
