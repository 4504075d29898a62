"""HIIF: hierarchical encoding based implicit image function, a decoder for any scale with attention over the picture.

Paper: Jiang, Kwan, Peng, Gao, Zhang, Zhu, Sole, Bull, CVPR 2025, https://arxiv.org/abs/2412.03748.
Written from the paper. Checked against outputs of the port in tayyabnasir22/INR-ASSR-Emperical-Analysis@9fd4c4a
(tests/references/hiif.npz); the original was not to be had. Differs from it: a picture that is asked for in chunks is
the same as one asked for whole, where the port lets the attention see only the chunk; and the first layer goes over
the LR pixels where these are fewer than the HR pixels, which gives the same numbers up to rounding.

Kept, as trained weights depend on it:
- The place within an LR pixel is the offset from the upper left neighbor's centre, in LR pixels; but where that is not
  positive (along the upper and left rim, or on a centre), it is 1/h (1/w) minus the offset, which mixes a length in an
  image of [-1, 1] with one in LR pixels.
- The layers see that place only as binary digits, one more at each of six levels. So the colors jump wherever a
  coordinate crosses a multiple of 1/64 LR pixel, and rounding decides for coordinates on one: at whole scales these are
  many, and another device or number type may answer otherwise there.
- 1e-9 is taken off the place first, which single precision notices near 0 only.
- The layers of the levels have 256 hidden channels whatever the width.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from Models.Decoders.Decoder import Decoder
from Models.Decoders.local_ensemble import Neighbors, Places, PlacesInChunks, gather_pixels
from Models.Layers.bilinear import sample_bilinear
from Models.Layers.blended_lookup import blended_linear, cut_to_reach
from Models.Layers.GalerkinAttention import GalerkinAttention, Layer, attend, attend_in_chunks
from Utilities.coordinates import relative_cell, small_constant

_LEVELS = 6
_HIDDEN = 256
_NUDGE = 1e-9


class HIIFContext(NamedTuple):
    """What HIIF knows of an image before any coordinate is asked for."""

    features: Float[Tensor, 'batch pixels width']
    lr: Float[Tensor, 'batch 3 h w']
    lr_size: tuple[int, int]


class HIIF(Decoder):
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

    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> HIIFContext:
        table = self.freq(features).flatten(2).transpose(1, 2).contiguous()
        return HIIFContext(table, lr, (features.shape[2], features.shape[3]))

    def query(
        self, context: HIIFContext, coord: Float[Tensor, 'batch queries 2'], cell: Float[Tensor, 'batch 2']
    ) -> Float[Tensor, 'batch queries 3']:
        places = Places.at(coord, context.lr_size)
        tokens = attend([self.conv0, self.conv1], self._embed(context, cell, self._first_layer(), places))
        return self._colors(context, tokens, places)

    def query_in_chunks(
        self, context: HIIFContext, chunks: Iterable[Float[Tensor, 'batch _ 2']], cell: Float[Tensor, 'batch 2']
    ) -> Iterator[Float[Tensor, 'batch _ 3']]:
        places = PlacesInChunks(chunks, context.lr_size)
        attended = attend_in_chunks(
            [self.conv0, self.conv1], places, partial(self._embed, context, cell, self._first_layer())
        )
        for here, tokens in zip(places, attended, strict=True):
            yield self._colors(context, tokens, here)

    def _first_layer(self) -> Layer:
        """Layer norm's weights and means and the first linear layer in one; the deviation divides before the bias."""
        level = cast(LevelMLP, self.fc_layers[0])
        weight = level.fc1.weight * level.norm.weight
        bias = functional.linear(level.norm.bias, level.fc1.weight, level.fc1.bias)
        return Layer(weight - weight.mean(dim=1, keepdim=True), bias)

    def _embed(
        self,
        context: HIIFContext,
        cell: Float[Tensor, 'batch 2'],
        first: Layer,
        places: Places,
    ) -> Float[Tensor, 'batch queries width']:
        neighbors = places.neighbors
        features, pixel = cut_to_reach(context.features, neighbors.pixel)
        cells = relative_cell(cell, context.lr_size)[:, None].expand(-1, places.coord.shape[1], -1)
        bits = binary_digits(place_in_pixel(neighbors, context.lr_size), level=0)
        others = torch.cat([cells, bits], dim=-1)
        level = cast(LevelMLP, self.fc_layers[0])
        centered = blended_linear(features, pixel, neighbors.weight, first.weight[:, :-4])
        centered = torch.baddbmm(centered, others, first.weight[:, -4:].T.expand(len(others), -1, -1))
        deviation = (_variance(features, pixel, neighbors.weight, others) + level.norm.eps).sqrt()
        return level.fc2(functional.gelu(torch.addcdiv(first.bias, centered, deviation[..., None])))

    def _colors(
        self,
        context: HIIFContext,
        tokens: Float[Tensor, 'batch queries width'],
        places: Places,
    ) -> Float[Tensor, 'batch queries 3']:
        place = place_in_pixel(places.neighbors, context.lr_size)
        for level in range(1, _LEVELS):
            tokens = self.fc_layers[level](torch.cat([tokens, binary_digits(place, level)], dim=-1))
        return tokens + sample_bilinear(context.lr, places.coord)


def _variance(
    features: Float[Tensor, 'batch pixels width'],
    pixel: Int[Tensor, '4 batch queries'],
    share: Float[Tensor, '4 batch queries'],
    others: Float[Tensor, 'batch queries 4'],
) -> Float[Tensor, 'batch queries']:
    """Of the four vectors times their shares and the other numbers, all together."""
    width = features.shape[2]
    of_pixels = torch.stack([features.mean(dim=2), features.var(dim=2, correction=0)], dim=2)
    means, variances = gather_pixels(of_pixels, pixel).unbind(dim=-1)
    means = means * share
    count = 4 * width + others.shape[2]
    mean = (width * means.sum(dim=0) + others.sum(dim=2)) / count
    # Around the common mean, so that no large numbers are subtracted.
    of_features = width * (variances * share.square() + (means - mean).square()).sum(dim=0)
    return (of_features + (others - mean[..., None]).square().sum(dim=2)) / count


def place_in_pixel(neighbors: Neighbors, lr_size: tuple[int, int]) -> Float[Tensor, 'batch queries 2']:
    """Place between the four neighbors, 0 to 1 from the upper left one, as published (see the top of this file)."""
    offset = neighbors.offset[0] / 2
    return torch.where(offset > 0, offset, 1 / small_constant(lr_size, offset) - offset)


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
