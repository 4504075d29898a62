"""CiaoSR: continuous implicit attention-in-attention network, a decoder that learns its ensemble's weights.

Paper: Cao et al., CVPR 2023, https://arxiv.org/abs/2212.04362.
Written from a description of the method, not from its code.
Checked against outputs of caojiezhang/CiaoSR@adac6df (tests/references/ciaosr.npz).
Differs from it: the cell is given once per image; the shares of key and value in the first layers of their MLPs, which
are linear, are computed once per LR pixel, which gives the same numbers up to rounding; `feat_unfold=False` works
together with the non-local attention; and one row or column of pixels is a picture too.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from Models.Decoders.Decoder import Decoder, DecoderFacts, Normalization
from Models.Decoders.Queries import Queries, View
from Models.Layers.bilinear import sample_bilinear
from Models.Layers.CrossScaleAttention import CrossScaleAttention
from Models.Layers.local_ensemble import gather_pixels
from Models.Layers.MLP import MLP
from Utilities.coordinates import centers_of_pixels, nearest_pixel, small_constant

_NUDGE = 1e-6
_STEPS = {1: (0,), 2: (-1, 1), 3: (-1, 0, 1)}
_WIDTHS = (256, 256, 256, 256)

# Each query reads several long vectors. So many numbers at once (half a GB) keep any device busy.
_NUMBERS_AT_ONCE = 2**27


class CiaoSRPrepared(NamedTuple):
    """What CiaoSR knows of an image before any size or coordinate is asked for; tables have a row per LR pixel."""

    lr: Float[Tensor, 'batch 3 h w']
    keys: Float[Tensor, 'batch pixels key_dim']
    """Features; also what the query is made of."""

    values: Float[Tensor, 'batch pixels value_dim']
    """Features, and what the non-local attention found."""

    first_of_keys: Float[Tensor, 'batch pixels key_width']
    """Share of the key in the first layer of `imnet_k`, bias included."""

    first_of_values: Float[Tensor, 'batch pixels value_width']
    """Share of the value in the first layer of `imnet_v`, bias included."""


class CiaoSR(Decoder[CiaoSRPrepared, tuple[CiaoSRPrepared, View]]):
    """Attention over the LR pixels around a coordinate, to a color that is added to the bilinear image.

    Args:
        feature_dim: channels of the encoder's features.
        hidden_q: widths of the hidden layers of the MLP that makes the color.
        hidden_k: the same of the MLP that weighs the keys by offset and cell.
        hidden_v: the same of the MLP that weighs the values.
        local_size: LR pixels attended to, per direction: 1 is the nearest alone, 2 the four around, 3 the nine.
        feat_unfold: give the attention the 3x3 neighborhood of features instead of one vector.
        non_local_attn: add to the values what cross-scale attention finds in the whole image.
        multi_scale: reductions that the cross-scale attention looks into, of 2, 3 and 4.
        softmax_scale: what the attention's logits are divided by.

    Raises:
        ValueError: for a local_size other than 1, 2, 3, a softmax_scale that is not positive, an MLP without a hidden
            layer, or reductions that the cross-scale attention does not have.
    """

    facts = DecoderFacts(Normalization((0.4488, 0.4371, 0.4040), (1.0, 1.0, 1.0)))

    def __init__(  # noqa: PLR0913
        self,
        feature_dim: int,
        hidden_q: Sequence[int] = _WIDTHS,
        hidden_k: Sequence[int] = _WIDTHS,
        hidden_v: Sequence[int] = _WIDTHS,
        *,
        local_size: int = 2,
        feat_unfold: bool = True,
        non_local_attn: bool = True,
        multi_scale: Sequence[int] = (2,),
        softmax_scale: float = 1.0,
    ) -> None:
        super().__init__()
        if local_size not in _STEPS:
            raise ValueError(f'local_size must be 1, 2 or 3, got {local_size}.')
        if not softmax_scale > 0:
            raise ValueError(f'softmax_scale must be positive, got {softmax_scale}.')
        if not (hidden_q and hidden_k and hidden_v):
            raise ValueError('hidden_q, hidden_k and hidden_v must each name at least one layer, got none.')
        self.local_size = local_size
        self.feat_unfold = feat_unfold
        self.softmax_scale = softmax_scale
        self.key_dim = feature_dim * (9 if feat_unfold else 1)
        self.value_dim = self.key_dim + (feature_dim * len(multi_scale) if non_local_attn else 0)
        self.imnet_q = MLP(self.value_dim, hidden_q, 3)
        self.imnet_k = MLP(self.key_dim + 4, hidden_k, self.key_dim)
        self.imnet_v = MLP(self.value_dim + 4, hidden_v, self.value_dim)
        self.cs_attn = CrossScaleAttention(feature_dim, multi_scale) if non_local_attn else None

    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> CiaoSRPrepared:
        keys = functional.unfold(features, kernel_size=3, padding=1) if self.feat_unfold else features.flatten(2)
        values = keys if self.cs_attn is None else torch.cat([keys, self.cs_attn(features).flatten(2)], dim=1)
        keys, values = keys.transpose(1, 2).contiguous(), values.transpose(1, 2).contiguous()
        return CiaoSRPrepared(lr, keys, values, _first_share(self.imnet_k, keys), _first_share(self.imnet_v, values))

    def query(self, aimed: tuple[CiaoSRPrepared, View], queries: Queries) -> Float[Tensor, 'batch queries 3']:
        at_once = max(1, _NUMBERS_AT_ONCE // (self.local_size**2 * self.value_dim * len(aimed[0].lr)))
        return torch.cat([self._attend(*aimed, piece.coord) for piece in queries.pieces(at_once)], dim=1)

    def _attend(
        self, context: CiaoSRPrepared, view: View, coord: Float[Tensor, 'batch queries 2']
    ) -> Float[Tensor, 'batch queries 3']:
        size, cell = view.lr_size, view.cell
        rows, columns = _pixel_at(coord, size)
        query = gather_pixels(context.keys, (rows * size[1] + columns)[None])  # (1, B, Q, key_dim)
        pixel, offset = self._find_neighbors(coord, cell, size)
        # (neighbors, B, Q, 4): where the coordinate is as seen from the neighbor, and how large its pixel
        place = torch.cat([offset, view.relative_cell[:, None].expand_as(offset)], dim=-1)

        # Scale-aware attention: the query is compared with the keys, each weighed by an MLP of its place.
        weight = _rest(self.imnet_k, gather_pixels(context.first_of_keys, pixel), place)
        logits = (query * gather_pixels(context.keys, pixel) * weight).sum(dim=-1) / self.softmax_scale
        # Values, weighed alike, and with them what the non-local attention found.
        weight = _rest(self.imnet_v, gather_pixels(context.first_of_values, pixel), place)
        values = gather_pixels(context.values, pixel) * weight
        found = (values * logits.softmax(dim=0)[..., None]).sum(dim=0)
        return self.imnet_q(found) + sample_bilinear(context.lr, coord)

    def _find_neighbors(
        self, coord: Float[Tensor, 'batch queries 2'], cell: Float[Tensor, 'batch 2'], size: tuple[int, int]
    ) -> tuple[Int[Tensor, 'neighbors batch queries'], Float[Tensor, 'neighbors batch queries 2']]:
        """Positions of the LR pixels attended to, and the offsets from them, where one LR pixel is 2.

        Unlike in the local ensemble, the step to a neighbor is less than half an LR pixel's width, and depends on the
        cell.
        """
        steps = small_constant([(y, x) for y in _STEPS[self.local_size] for x in _STEPS[self.local_size]], coord)
        gaps = small_constant([max(n - 1, 1) for n in size], coord)
        # The nudge only where there is a step: without one the coordinate itself is looked up.
        shift = steps[:, None] * ((1 - cell) / gaps) + _NUDGE * (steps[:, None] != 0)  # (neighbors, B, 2)
        shifted = (coord + shift[:, :, None]).clamp(-1 + _NUDGE, 1 - _NUDGE)
        rows, columns = _pixel_at(shifted, size)
        y, x = (centers_of_pixels(index, n, coord.dtype) for index, n in zip((rows, columns), size, strict=True))
        offset = torch.stack([(coord[..., 0] - y) * size[0], (coord[..., 1] - x) * size[1]], dim=-1)
        return rows * size[1] + columns, offset


def _pixel_at(
    coord: Float[Tensor, '*batch 2'], size: tuple[int, int]
) -> tuple[Int[Tensor, '*batch'], Int[Tensor, '*batch']]:
    """Row and column of the nearest LR pixel."""
    return nearest_pixel(coord[..., 0], size[0]), nearest_pixel(coord[..., 1], size[1])


def _first_share(mlp: MLP, table: Float[Tensor, 'batch pixels dim']) -> Float[Tensor, 'batch pixels width']:
    return functional.linear(table, mlp.first.weight[:, : table.shape[2]], mlp.first.bias)


def _rest(
    mlp: MLP, first: Float[Tensor, 'neighbors batch queries width'], place: Float[Tensor, 'neighbors batch queries 4']
) -> Float[Tensor, 'neighbors batch queries dim']:
    """What the MLP makes of the table's share and the four inputs after it."""
    return mlp.layers[1:](first + functional.linear(place, mlp.first.weight[:, -4:]))
