"""Losses of the encoder and of the plain baseline."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class _LogPartition(torch.autograd.Function):
    """log sum_j exp(u_i . v_j - shift_j) with one dense block alive, which the gradient reuses in place."""

    @staticmethod
    def forward(ctx: Any, users: Tensor, items: Tensor, bound: float, shift: Tensor | None) -> Tensor:  # noqa: ANN401
        weight = users @ items.T
        weight -= bound if shift is None else shift + bound
        total = weight.exp_().sum(dim=1)
        ctx.save_for_backward(users, items, weight, total)
        return total.log() + bound

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:  # noqa: ANN401
        users, items, weight, total = ctx.saved_tensors
        weight *= (gradients[0] / total)[:, None]
        return weight @ items, weight.T @ users, None, None


def cosine_softmax(
    users: Tensor,
    items: Tensor,
    row: Tensor,
    column: Tensor,
    weight: Tensor,
    temperature: float,
    log_expected: Tensor | None = None,
    rival: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of every positive against all items (or a sample of them) at cosine / temperature.

    Wu et al., On the Effectiveness of Sampled Softmax Loss for Item Recommendation (2022), eq. 4; the correction of
    a sampled denominator is Bengio and Senecal (2008): logits minus log of the expected count in the sample.

    Args:
        users: (B, D) unit rows.
        items: (I, D) unit rows.
        row: (P,) user row of each positive.
        column: (P,) item of each positive.
        weight: (P,) of each positive, sum > 0.
        temperature: tau > 0.
        log_expected: (S,) log of the expected count of each sampled item; None with all items.
        rival: (S,) the sampled items; None for all items.

    Returns:
        The weighted mean, a scalar. The denominator counts a user's other positives as rivals, as the paper does.
    """
    scaled = users / temperature
    rivals = items if rival is None else items[rival]
    log_total = _LogPartition.apply(scaled, rivals, 1.0 / temperature, log_expected)
    positive = (scaled[row] * items[column]).sum(dim=1)
    return (weight * (log_total[row] - positive)).sum() / weight.sum()


def binary_cross_entropy(positive: Tensor, negative: Tensor, weight: Tensor) -> Tensor:
    """Mean of -log sigma(positive) and -log(1 - sigma(negative)), each (P,), weighted by the positives' weights."""
    both = functional.softplus(-positive) + functional.softplus(negative)
    return (weight * both).sum() / (2.0 * weight.sum())
