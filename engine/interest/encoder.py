"""A heterogeneous GraphSAGE over users and items that also embeds nodes it was not trained on.

Hamilton, Ying, Leskovec, Inductive Representation Learning on Large Graphs (NeurIPS 2017), algorithm 1 with a sum
normalised by degrees as aggregation, one set of weights per relation, PyG's `SAGEConv` inside `HeteroConv`. Layer 0
of a node is the projection of its features plus a learned vector of its id; ids are dropped at random in training,
so that a node without one (a new user or item) is embedded from its features and neighbours alone. The embedding is
the sum of the layers, scaled to unit length (layer combination: He et al., LightGCN, SIGIR 2020, eq. 8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import HeteroConv, SAGEConv

from engine.interest.adjacency import Adjacency

Relation = tuple[str, str, str]
"""(source type, name, target type): messages flow from source to target."""


class _Multiply(torch.autograd.Function):
    """Sparse times dense whose backward uses a transpose made once (torch makes it anew at every step)."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transposed: Tensor, dense: Tensor) -> Tensor:
        ctx.transposed = transposed
        return matrix @ dense

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, Tensor]:
        return None, None, ctx.transposed @ gradients[0].contiguous()


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The weights (targets, sources) with which targets take their sources' vectors in."""

    matrix: Tensor
    transposed: Tensor

    @classmethod
    def of(cls, adjacency: Adjacency, device: str | torch.device = "cpu") -> Neighbourhood:
        """Build from weights (targets, sources), used as they are."""
        return cls(adjacency.torch(device), adjacency.transpose().torch(device))

    def multiply(self, dense: Tensor) -> Tensor:
        """Return (targets, D) weighted sums of the sources' (sources, D)."""
        return _Multiply.apply(self.matrix, self.transposed, dense)


class NeighbourConv(SAGEConv):
    """PyG's SAGEConv, x'_i = W_l sum_j a_ij x_j + b + W_r x_i, over a `Neighbourhood`; parameters are PyG's own.

    a_ij = w_ij / sqrt(d_i d_j) (Kipf and Welling, ICLR 2017, eq. 2) instead of the mean's w_ij / d_i.
    """

    def forward(self, x: Tensor | tuple[Tensor, Tensor], edge_index: Neighbourhood) -> Tensor:  # type: ignore[override]
        """Return (targets, D_out) for x = (sources' vectors, targets' vectors), or one (N, D) where they coincide."""
        source, target = (x, x) if isinstance(x, Tensor) else x
        return self.lin_l(edge_index.multiply(source)) + self.lin_r(target)


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """What the encoder's parameters are made for."""

    nodes: Mapping[str, int]
    """Nodes with an id vector, per type."""
    features: Mapping[str, int]
    """Width of the feature rows per type; 0 where there are none."""
    relations: tuple[Relation, ...]
    width: int = 64
    layers: int = 2


class Encoder(nn.Module):
    """Layer 0 from features and ids, then `layers` rounds of HeteroConv.

    The rounds are linear and start as sums over neighbours (W_l = I, W_r near 0): on shopping graphs that beats
    random weights and a nonlinearity between the rounds by far (docs/adr/0005).
    """

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.ids = nn.ParameterDict(
            {kind: nn.Parameter(torch.randn(count, shape.width) * 0.1) for kind, count in shape.nodes.items()}
        )
        self.projection = nn.ParameterDict(
            {kind: nn.Parameter(torch.randn(size, shape.width) * 0.1) for kind, size in shape.features.items() if size}
        )
        self.rounds = nn.ModuleList(
            HeteroConv({relation: _identity_conv(shape.width) for relation in shape.relations}, aggr="sum")
            for _ in range(shape.layers)
        )

    def layer0(
        self,
        features: Mapping[str, Neighbourhood],
        nodes: Mapping[str, Tensor] | None = None,
        id_dropout: float = 0.0,
    ) -> dict[str, Tensor]:
        """Return layer 0, (N, D) per type.

        Args:
            features: feature rows of the nodes, per type that has any.
            nodes: (N,) the nodes per type; None for all.
            id_dropout: chance in training that a node goes without its id.
        """
        result = {}
        for kind, table in self.ids.items():
            vectors = table if nodes is None else table[nodes[kind]]
            if self.training and id_dropout > 0:
                kept = torch.rand(len(vectors), 1, device=vectors.device) >= id_dropout
                vectors = vectors * kept
            if kind in features:
                vectors = vectors + features[kind].multiply(self.projection[kind])
            result[kind] = vectors
        return result

    def propagate(
        self, layer0: dict[str, Tensor], neighbours: Mapping[Relation, Neighbourhood]
    ) -> list[dict[str, Tensor]]:
        """Return all layers, each (N, D) per type; `neighbours` holds every relation of the shape."""
        layers = [layer0]
        for conv in self.rounds:
            out = conv(layers[-1], neighbours)
            layers.append({kind: out.get(kind, torch.zeros_like(vectors)) for kind, vectors in layer0.items()})
        return layers


def combine(layers: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the embeddings (N, D) per type: the sum of the layers at unit length."""
    return {kind: functional.normalize(sum(layer[kind] for layer in layers), dim=1) for kind in layers[0]}


def _identity_conv(width: int) -> NeighbourConv:
    conv = NeighbourConv(width, width)
    with torch.no_grad():
        conv.lin_l.weight.copy_(torch.eye(width) + 0.01 * torch.randn(width, width))
        conv.lin_l.bias.zero_()
        conv.lin_r.weight.copy_(0.01 * torch.randn(width, width))
    return conv
