"""HIIF: hierarchical encoding based implicit image function, a decoder for any scale with attention over the picture.

Paper: Jiang, Kwan, Peng, Gao, Zhang, Zhu, Sole, Bull, CVPR 2025, https://arxiv.org/abs/2412.03748.
Written from the paper. Checked against outputs of the port in tayyabnasir22/INR-ASSR-Emperical-Analysis@9fd4c4a
(tests/references/hiif.npz); the original was not to be had. Differs from it: a picture that is asked for in chunks is
the same as one asked for whole, where the port lets the attention see only the chunk; and the first layer goes over
the LR pixels where these are fewer than the HR pixels, which gives the same numbers up to rounding.

Kept, as trained weights depend on it:
- The place within an LR pixel is the offset from the upper left neighbor's center, in LR pixels; but where that is not
  positive (along the upper and left rim, or on a center), it is 1/h (1/w) minus the offset, which mixes a length in an
  image of [-1, 1] with one in LR pixels.
- The layers see that place only as binary digits, one more at each of six levels. So the colors jump wherever a
  coordinate crosses a multiple of 1/64 LR pixel, and rounding decides for coordinates on one: at whole scales these are
  many, and another device or number type may answer otherwise there.
- 1e-9 is taken off the place first, which single precision notices near 0 only.
- The layers of the levels have 256 hidden channels whatever the width.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from Models.Decoders.Decoder import Decoder
from Models.Decoders.Queries import Queries, View
from Models.Layers.bilinear import sample_bilinear
from Models.Layers.blended_lookup import blended_hiif, can_share, weighted_vectors
from Models.Layers.GalerkinAttention import GalerkinAttention, attend, attend_in_pieces
from Models.Layers.local_ensemble import Neighbors, pixel_table

_LEVELS = 6
_HIDDEN = 256
_NUDGE = 1e-9


class HIIFPrepared(NamedTuple):
    """What HIIF knows of an image before any size or coordinate is asked for."""

    table: Float[Tensor, 'batch pixels width']
    """The features of each LR pixel."""

    lr: Float[Tensor, 'batch 3 h w']
    """The image that the answer is added to."""


Aimed = tuple[HIIFPrepared, View]


class HIIF(Decoder[HIIFPrepared, Aimed]):
    """Four weighted feature vectors, and the place between them told bit by bit, coarse to fine.

    Args:
        feature_dim: channels of the encoder's features.
        width: channels of a token; `hidden_dim` in the original.
        heads: parts of the channels that attend separately; `blocks` in the original.

    Raises:
        ValueError: if the heads do not divide the width.
    """

    cell_scale_max = 4.0

    def __init__(self, feature_dim: int, width: int = 256, heads: int = 16) -> None:
        super().__init__()
        self.freq = nn.Conv2d(feature_dim, width, kernel_size=3, padding=1)
        # Two bits (y, x) at each level; at the first also the four neighbors and the cell.
        widths_in = [4 * width + 2 + 2] + [width + 2] * (_LEVELS - 1)
        widths_out = [width] * (_LEVELS - 1) + [3]
        self.fc_layers = nn.ModuleList(map(LevelMLP, widths_in, widths_out))
        self.conv0 = HIIFAttention(width, heads)
        self.conv1 = HIIFAttention(width, heads)

    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> HIIFPrepared:
        return HIIFPrepared(pixel_table(self.freq(features)), lr)

    def query(self, aimed: Aimed, queries: Queries) -> Float[Tensor, 'batch queries 3']:
        return self._decode(aimed, attend([self.conv0, self.conv1], self._embed(aimed, queries)), queries)

    def query_in_pieces(self, aimed: Aimed, queries: Queries, size: int) -> Iterator[Float[Tensor, 'batch _ 3']]:
        pieces = list(queries.pieces(size))
        attended = attend_in_pieces([self.conv0, self.conv1], pieces, partial(self._embed, aimed))
        for piece, tokens in zip(pieces, attended, strict=True):
            yield self._decode(aimed, tokens, piece)

    def _embed(self, aimed: Aimed, queries: Queries) -> Float[Tensor, 'batch queries width']:
        """The first level: four weighted feature vectors, the cell, and the coarsest bits of the place."""
        (table, _), view = aimed
        neighbors = queries.neighbors(view, local_ensemble=True)
        bits = binary_digits(place_in_pixel(neighbors, view.lr_size), level=0)
        others = torch.cat([view.relative_cell[:, None].expand_as(bits), bits], dim=-1)
        level = cast(LevelMLP, self.fc_layers[0])
        if can_share():
            return level.fc2(functional.gelu(blended_hiif(table, neighbors, others, level.norm, level.fc1)))
        return level(torch.cat([weighted_vectors(table, neighbors), others], dim=-1))

    def _decode(
        self, aimed: Aimed, tokens: Float[Tensor, 'batch queries width'], queries: Queries
    ) -> Float[Tensor, 'batch queries 3']:
        """The other levels, coarse to fine; their answer is added to the interpolated image."""
        (_, lr), view = aimed
        place = place_in_pixel(queries.neighbors(view, local_ensemble=True), view.lr_size)
        for level in range(1, _LEVELS):
            tokens = self.fc_layers[level](torch.cat([tokens, binary_digits(place, level)], dim=-1))
        return tokens + sample_bilinear(lr, queries.coord)


def place_in_pixel(neighbors: Neighbors, lr_size: tuple[int, int]) -> Float[Tensor, 'batch queries 2']:
    """Place between the four neighbors, 0 to 1 from the upper left one, as published (see the top of this file)."""
    sides = zip((neighbors.offset[0] / 2).unbind(dim=-1), lr_size, strict=True)
    return torch.stack([torch.where(offset > 0, offset, 1 / count - offset) for offset, count in sides], dim=-1)


def binary_digits(place: Float[Tensor, 'batch queries 2'], level: int) -> Float[Tensor, 'batch queries 2']:
    """The binary digit of each component that is worth 2^-(level + 1), as 0 or 1."""
    return ((place - _NUDGE).clamp(0, 1) * 2 ** (level + 1)).floor() % 2


class LevelMLP(nn.Module):
    """Layer norm, linear, GELU, linear."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim_in)
        self.fc1 = nn.Linear(dim_in, _HIDDEN)
        self.fc2 = nn.Linear(_HIDDEN, dim_out)

    def forward(self, inputs: Float[Tensor, '*batch dim_in']) -> Float[Tensor, '*batch dim_out']:
        return self.fc2(functional.gelu(self.fc1(self.norm(inputs))))


class HIIFAttention(GalerkinAttention):
    """Galerkin attention with layer norms that all heads share."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.qkv_proj = nn.Linear(width, 3 * width)
        self.kln = nn.LayerNorm(width // heads)
        self.vln = nn.LayerNorm(width // heads)
        self.proj1 = nn.Linear(width, width)
        self.proj2 = nn.Linear(width, width)

    @property
    def mixers(self) -> tuple[nn.Linear, nn.Linear]:
        return self.proj1, self.proj2

    def inverse_deviation(
        self, centered: Float[Tensor, 'batch queries heads dim']
    ) -> Float[Tensor, 'batch queries heads 1']:
        norm = torch.linalg.vector_norm(centered, dim=-1, keepdim=True)
        return (norm.square() / centered.shape[-1] + self.kln.eps).rsqrt()
