"""SRNO: super-resolution neural operator, a decoder for any scale with attention over the whole picture.

Paper: Wei, Zhang, CVPR 2023, https://arxiv.org/abs/2303.02584.
Written from the paper. Checked against outputs of 2y7c3/Super-Resolution-Neural-Operator@92b777a
(tests/references/srno.npz). Differs from it: any number of feature channels, which the original fixes at 64; and a
picture that is asked for in chunks is the same as one asked for whole, where the original lets the attention see only
the chunk. So the original equals this when it is given no chunk size. And the first layer, which is linear, goes over
the LR pixels where these are fewer than the HR pixels, which gives the same numbers up to rounding.
Kept: the cell is not limited unless one asks (`cell_scale_max = 4` is the original's `--mcell`).
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from Models.Decoders.Decoder import Decoder
from Models.Decoders.Queries import Queries, View
from Models.Layers.bilinear import sample_bilinear
from Models.Layers.blended_lookup import blended_srno, can_share, weighted_vectors
from Models.Layers.GalerkinAttention import GalerkinAttention, attend, attend_in_pieces
from Models.Layers.local_ensemble import pixel_table
from Models.Layers.pointwise import PointwiseLinear

_NORM_EPS = 1e-5
_HIDDEN = 256  # of the last two layers, whatever the width


class SRNOPrepared(NamedTuple):
    """What SRNO knows of an image before any size or coordinate is asked for."""

    table: Float[Tensor, 'batch pixels dim']
    """The features of each LR pixel."""

    lr: Float[Tensor, 'batch 3 h w']
    """The image that the answer is added to."""


Aimed = tuple[SRNOPrepared, View]


class SRNO(Decoder[SRNOPrepared, Aimed]):
    """Four weighted feature vectors and the offsets to them, lifted to tokens that attend to each other.

    Args:
        feature_dim: channels of the encoder's features.
        width: channels of a token.
        heads: parts of the channels that attend separately; `blocks` in the original.

    Raises:
        ValueError: if the heads do not divide the width, or leave one channel to each.
    """

    def __init__(self, feature_dim: int, width: int = 256, heads: int = 16) -> None:
        super().__init__()
        # Of each neighbor the offset and the features; the cell.
        self.conv00 = PointwiseLinear(4 * (2 + feature_dim) + 2, width)
        self.conv0 = SRNOAttention(width, heads)
        self.conv1 = SRNOAttention(width, heads)
        self.fc1 = PointwiseLinear(width, _HIDDEN)
        self.fc2 = PointwiseLinear(_HIDDEN, 3)

    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> SRNOPrepared:
        return SRNOPrepared(pixel_table(features), lr)

    def query(self, aimed: Aimed, queries: Queries) -> Float[Tensor, 'batch queries 3']:
        return self._project(aimed, attend([self.conv0, self.conv1], self._lift(aimed, queries)), queries)

    def query_in_pieces(self, aimed: Aimed, queries: Queries, size: int) -> Iterator[Float[Tensor, 'batch _ 3']]:
        pieces = list(queries.pieces(size))
        attended = attend_in_pieces([self.conv0, self.conv1], pieces, partial(self._lift, aimed))
        for piece, tokens in zip(pieces, attended, strict=True):
            yield self._project(aimed, tokens, piece)

    def _lift(self, aimed: Aimed, queries: Queries) -> Float[Tensor, 'batch queries width']:
        """Lifting (section 3): offsets, weighted features and cell of all four neighbors, through one linear layer."""
        (table, _), view = aimed
        neighbors = queries.neighbors(view, local_ensemble=True)
        if can_share():
            return blended_srno(table, neighbors, view.relative_cell, self.conv00)
        offsets = neighbors.offset.permute(1, 2, 0, 3).flatten(2)
        cells = view.relative_cell[:, None].expand(-1, offsets.shape[1], -1)
        return self.conv00(torch.cat([offsets, weighted_vectors(table, neighbors), cells], dim=-1))

    def _project(
        self,
        aimed: Aimed,
        tokens: Float[Tensor, 'batch queries width'],
        queries: Queries,
    ) -> Float[Tensor, 'batch queries 3']:
        """Projection: two pointwise layers to a color, which is added to the interpolated image."""
        return self.fc2(functional.gelu(self.fc1(tokens))) + sample_bilinear(aimed[0].lr, queries.coord)


class SRNOAttention(GalerkinAttention):
    """Galerkin attention with a norm of its own weights for each head."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.qkv_proj = PointwiseLinear(width, 3 * width)
        self.o_proj1 = PointwiseLinear(width, width)
        self.o_proj2 = PointwiseLinear(width, width)
        self.kln = HeadNorm(heads, width // heads)
        self.vln = HeadNorm(heads, width // heads)

    @property
    def mixers(self) -> tuple[PointwiseLinear, PointwiseLinear]:
        return self.o_proj1, self.o_proj2

    def inverse_deviation(
        self, centered: Float[Tensor, 'batch queries heads dim']
    ) -> Float[Tensor, 'batch queries heads 1']:
        norm = torch.linalg.vector_norm(centered, dim=-1, keepdim=True)
        return 1 / (norm / (centered.shape[-1] - 1) ** 0.5 + _NORM_EPS)


class HeadNorm(nn.Module):
    """Normalization over a head's channels by the unbiased deviation, with weights for each head and channel."""

    def __init__(self, heads: int, dim: int) -> None:
        super().__init__()
        if dim < 2:
            raise ValueError(f'width must be at least 2 channels for each of the {heads} heads, got {heads * dim}.')
        self.weight = nn.Parameter(torch.ones(heads, 1, dim))
        self.bias = nn.Parameter(torch.zeros(heads, 1, dim))

    def forward(self, inputs: Float[Tensor, 'batch heads queries dim']) -> Float[Tensor, 'batch heads queries dim']:
        deviation, mean = torch.std_mean(inputs, dim=-1, keepdim=True)
        return self.weight * ((inputs - mean) / (deviation + _NORM_EPS)) + self.bias
