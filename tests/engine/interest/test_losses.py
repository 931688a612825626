"""The fused loss against torch's own cross-entropy, value and gradient."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from engine.interest.adjacency import from_pairs
from engine.interest.encoder import Neighbourhood
from engine.interest.losses import binary_cross_entropy, cosine_softmax, pairwise


def _vectors() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    users = functional.normalize(torch.randn(3, 8, generator=generator, dtype=torch.float32), dim=1)
    items = functional.normalize(torch.randn(6, 8, generator=generator, dtype=torch.float32), dim=1)
    return users.requires_grad_(), items.requires_grad_()


ROW, COLUMN, WEIGHT = np.array([0, 0, 1, 2]), np.array([1, 4, 4, 0]), np.array([1.0, 2.0, 0.5, 1.0])


def test_softmax_over_all_items_equals_cross_entropy() -> None:
    users, items = _vectors()
    positives = Neighbourhood.of(from_pairs(ROW, COLUMN, (3, 6), WEIGHT))
    loss = cosine_softmax(users, items, positives, torch.tensor([3.0, 0.5, 1.0]), 0.2)
    got = torch.autograd.grad(loss, (users, items))
    each = functional.cross_entropy((users @ items.T / 0.2)[ROW], torch.from_numpy(COLUMN), reduction="none")
    expected = (each * torch.tensor(WEIGHT, dtype=torch.float32)).sum() / WEIGHT.sum()
    wanted = torch.autograd.grad(expected, (users, items))
    assert torch.allclose(loss, expected, atol=1e-5)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(got, wanted, strict=True))


def test_a_sample_that_is_expected_once_each_equals_all_items() -> None:
    users, items = _vectors()
    positives = Neighbourhood.of(from_pairs(ROW, COLUMN, (3, 6), WEIGHT))
    row_weight = torch.tensor([3.0, 0.5, 1.0])
    full = cosine_softmax(users, items, positives, row_weight, 0.2)
    twice = torch.cat([items, items])
    sampled = cosine_softmax(
        users, items, positives, row_weight, 0.2, rivals=twice, log_expected=torch.full((12,), float(np.log(2.0)))
    )
    assert torch.allclose(full, sampled, atol=1e-5)


def test_binary_cross_entropy_by_hand() -> None:
    loss = binary_cross_entropy(torch.tensor([0.0, 2.0]), torch.tensor([0.0, -2.0]), torch.tensor([1.0, 3.0]))
    soft = np.log1p(np.exp(-2.0))
    assert float(loss) == np.float32((2 * np.log(2.0) + 3 * 2 * soft) / 8)


def test_hard_rivals_weigh_more_as_written_out() -> None:
    users, items = _vectors()
    positives = Neighbourhood.of(from_pairs(ROW, COLUMN, (3, 6), WEIGHT))
    row_weight = torch.tensor([3.0, 0.5, 1.0])
    loss = cosine_softmax(users, items, positives, row_weight, 0.2, hardness=0.5)
    got = torch.autograd.grad(loss, (users, items))
    logits = users @ items.T / 0.2
    tilt = (0.5 * logits).exp()
    rivals = ((tilt / tilt.mean(dim=1, keepdim=True)) * logits.exp()).sum(dim=1).log()
    each = rivals[ROW] - logits[ROW, COLUMN]
    expected = (each * torch.tensor(WEIGHT, dtype=torch.float32)).sum() / WEIGHT.sum()
    wanted = torch.autograd.grad(expected, (users, items))
    assert torch.allclose(loss, expected, atol=1e-5)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(got, wanted, strict=True))
    again = cosine_softmax(
        users, items, positives, row_weight, 0.2, rivals=torch.cat([items, items]),
        log_expected=torch.full((12,), float(np.log(2.0))), hardness=0.5,
    )  # fmt: skip
    assert torch.allclose(loss, again, atol=1e-5)


def test_pairwise_by_hand() -> None:
    users = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    positive, negative = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    loss = pairwise(users, positive, negative, torch.tensor([1.0, 3.0]), 0.5)
    assert np.isclose(float(loss), (np.log1p(np.exp(-2.0)) + 3 * np.log(2.0)) / 4)
