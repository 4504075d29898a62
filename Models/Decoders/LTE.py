"""LTE: local texture estimator, which describes the surroundings of each LR pixel by waves.

Paper: Lee, Jin, CVPR 2022, https://arxiv.org/abs/2111.08918.
Written from the paper. Checked against outputs of jaewon-lee-b/lte@a8815d6 (tests/references/lte.npz, lte_plus.npz).
Differs from it: the cell is given once per image, so the phase is computed once; amplitudes and frequencies come from
one convolution; and the last layer, being linear, comes after the local ensemble. The numbers are the same up to
rounding. Where the scales of the two axes differ, the limit on the cell applies to each by itself.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from Models.Decoders.Decoder import Decoder
from Models.Decoders.local_ensemble import (
    Neighbors,
    NeighborsOfOne,
    find_grid_neighbors,
    find_neighbors,
    gather_pixels,
)
from Models.Layers.bilinear import sample_bilinear
from Models.Layers.blended_mlp import (
    Activations,
    HiddenLayers,
    Linear,
    answer_plainly,
    in_pieces,
    linear_layers,
    paired,
    pieces_of,
    rows_of,
    unpaired,
)
from Models.Layers.convolutions import conv3x3
from Models.Layers.fourier_features import fourier_features, parts_of, waves_of
from Models.Layers.MLP import MLP
from Models.Layers.pointwise import pointwise_mlp
from Utilities.coordinates import Crop, PixelChunks, relative_cell

_PER_HALF = 4
"""Numbers in a row of a piece over half the Fourier features: amplitudes, frequencies and features at once."""


class LTEContext(NamedTuple):
    """What LTE knows of an image before any coordinate is asked for."""

    amplitude: Float[Tensor, 'batch pixels dim']
    along_y: Float[Tensor, 'batch pixels half']
    along_x: Float[Tensor, 'batch pixels half']
    """Amplitudes and frequencies of each LR pixel: apart, so that what is fetched together lies together."""

    lr: Float[Tensor, 'batch 3 h w']
    """The image that the answer is added to."""

    lr_size: tuple[int, int]
    """Of the image that spans [-1, 1]."""

    crop: Crop | None = None
    """The part of the image that the context is of; None: all."""


class LTE(Decoder):
    """An MLP from Fourier features, whose waves the image chooses, to a color, added to the interpolated LR image.

    LTE+ is the authors' faster variant for whole pictures. It is the same function with its weights in another order,
    so it matters only for weights that are loaded.

    Args:
        feature_dim: channels of the encoder's features.
        hidden_dim: Fourier features, cosines and sines together.
        hidden: widths of the MLP's hidden layers.
        plus: the weights are laid out as LTE+ has them: the channels of `freq` are all of y, then all of x, instead of
            y and x in turn, and the MLP is `layers`, of 1x1 convolutions, instead of `imnet`.
        cell_scale_max: largest scale whose cell the network is shown, as it was trained up to 4; None: no limit.

    Raises:
        ValueError: for a hidden_dim that is not even, or a limit that is not positive.
    """

    receptive_field = 2
    knows_crops = True

    def __init__(
        self,
        feature_dim: int,
        hidden_dim: int = 256,
        hidden: Sequence[int] = (256, 256, 256),
        plus: bool = False,
        cell_scale_max: float | None = 4.0,
    ) -> None:
        super().__init__()
        if hidden_dim < 2 or hidden_dim % 2:
            raise ValueError(f'hidden_dim must be an even number of at least 2, got {hidden_dim}.')
        self.plus = plus
        self.limit_cell(cell_scale_max)
        self.coef = conv3x3(feature_dim, hidden_dim)
        self.freq = conv3x3(feature_dim, hidden_dim)
        self.phase = nn.Linear(2, hidden_dim // 2, bias=False)
        if plus:
            self.layers = pointwise_mlp(hidden_dim, hidden, 3)
        else:
            self.imnet = MLP(hidden_dim, hidden, 3)

    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> LTEContext:
        waves = waves_of(features, self.coef, self.freq, interleaved=not self.plus)
        amplitude, along_y, along_x = (part.contiguous() for part in parts_of(waves))
        return LTEContext(amplitude, along_y, along_x, lr, (features.shape[2], features.shape[3]))

    def query(
        self, context: LTEContext, coord: Float[Tensor, 'batch queries 2'], cell: Float[Tensor, 'batch 2']
    ) -> Float[Tensor, 'batch queries 3']:
        neighbors = find_neighbors(coord, context.lr_size, local_ensemble=True, crop=context.crop)
        phase = self._phase(cell, context.lr_size)
        if not in_pieces(context.amplitude) or coord.requires_grad:
            # (4, B, Q, 2 * hidden_dim)
            waves = torch.cat([gather_pixels(table, neighbors.pixel) for table in context[:3]], dim=-1)
            features = fourier_features(waves, neighbors.offset, phase[:, None])
            color = answer_plainly(features, neighbors.weight, self._linear_layers)
        elif torch.is_grad_enabled():
            color = _Answers.apply(*context[:3], phase, *neighbors, *unpaired(self._linear_layers))
        else:
            color = _answer(context, phase, neighbors, HiddenLayers(self._linear_layers))
        return color + sample_bilinear(context.lr, coord, context.crop)

    def query_in_chunks(
        self,
        context: LTEContext,
        chunks: Iterable[Float[Tensor, 'batch _ 2']],
        cell: Float[Tensor, 'batch 2'],
    ) -> Iterator[Float[Tensor, 'batch _ 3']]:
        if not isinstance(chunks, PixelChunks) or not in_pieces(context.amplitude):
            yield from super().query_in_chunks(context, chunks, cell)
            return
        grid = find_grid_neighbors(chunks.rows, chunks.columns, context.lr_size, local_ensemble=True, crop=context.crop)
        phase, hidden = self._phase(cell, context.lr_size), HiddenLayers(self._linear_layers)
        for coord, crossing in zip(chunks, chunks.crossings(), strict=True):
            color = _answer(context, phase, grid.of(*crossing), hidden)
            yield color.add_(sample_bilinear(context.lr, coord, context.crop))

    @property
    def _linear_layers(self) -> list[Linear]:
        return linear_layers(self.layers if self.plus else self.imnet.layers)

    def _phase(self, cell: Float[Tensor, 'batch 2'], lr_size: tuple[int, int]) -> Float[Tensor, 'batch half']:
        return self.phase(relative_cell(cell, lr_size))


@torch.no_grad()
def _answer(
    context: LTEContext, phase: Float[Tensor, 'batch half'], neighbors: Neighbors, hidden: HiddenLayers
) -> Float[Tensor, 'batch queries 3']:
    """Colors in pieces, without gradients; neighbors of a batch of one are those of every image."""
    count, _, queries = neighbors.pixel.shape
    batch, half = phase.shape
    colors = phase.new_empty(batch, queries, 3)
    for image, span in pieces_of(batch, queries, count, _PER_HALF * half):
        part = neighbors.piece(image, span)
        features = context.amplitude[image].index_select(0, part.pixel.flatten())
        angle = _angle(context.along_y[image], context.along_x[image], phase[image], part)
        features[:, :half].mul_(angle.cos())
        features[:, half:].mul_(angle.sin_())
        colors[image, span] = hidden.answer(features, part.weight)
    return colors


def _angle(
    along_y: Float[Tensor, 'pixels half'],
    along_x: Float[Tensor, 'pixels half'],
    phase: Float[Tensor, ' half'],
    neighbors: NeighborsOfOne,
) -> Float[Tensor, 'rows half']:
    pixel, offset = neighbors.pixel.flatten(), neighbors.offset.flatten(0, 1)
    angle = along_y.index_select(0, pixel).mul_(offset[:, :1])
    return angle.addcmul_(along_x.index_select(0, pixel), offset[:, 1:]).add_(phase, alpha=math.pi)


class _Answers(torch.autograd.Function):
    """Colors in pieces, and the gradients of everything but the coordinates."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917
        ctx: Any,  # noqa: ANN401
        amplitude: Float[Tensor, 'batch pixels dim'],
        along_y: Float[Tensor, 'batch pixels half'],
        along_x: Float[Tensor, 'batch pixels half'],
        phase: Float[Tensor, 'batch half'],
        pixel: Int[Tensor, 'neighbors batch queries'],
        offset: Float[Tensor, 'neighbors batch queries 2'],
        share: Float[Tensor, 'neighbors batch queries'],
        *parameters: Tensor,
    ) -> Float[Tensor, 'batch queries 3']:
        neighbors, half = Neighbors(pixel, offset, share), phase.shape[1]
        count, batch, queries = pixel.shape
        activations = Activations(pixel.numel(), paired(parameters), amplitude)
        circle = amplitude.new_empty(pixel.numel(), 2 * half)  # Cosines and sines, without amplitudes.
        colors = amplitude.new_empty(batch, queries, parameters[-1].shape[0])
        for piece in pieces_of(batch, queries, count, _PER_HALF * half):
            image, rows, part = piece[0], rows_of(piece, queries, count), neighbors.piece(*piece)
            angle = _angle(along_y[image], along_x[image], phase[image], part)
            torch.cos(angle, out=circle[rows, :half])
            torch.sin(angle, out=circle[rows, half:])
            inputs = activations.first(rows)
            torch.index_select(amplitude[image], 0, part.pixel.flatten(), out=inputs)
            inputs.mul_(circle[rows])
            colors[piece] = activations.answer(rows, part.weight)
        ctx.save_for_backward(amplitude, circle, pixel, offset, share)
        ctx.activations = activations
        return colors

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, 'batch queries 3']) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        amplitude, circle, *found = ctx.saved_tensors
        neighbors, half = Neighbors(*found), amplitude.shape[2] // 2
        count, batch, queries = neighbors.pixel.shape
        for_amplitude = torch.zeros_like(amplitude)
        for_y, for_x = (amplitude.new_zeros(*amplitude.shape[:2], half) for _ in range(2))
        for_phase = amplitude.new_zeros(batch, half)
        ctx.activations.start_learning()
        for piece in pieces_of(batch, queries, count, _PER_HALF * half):
            image, rows, part = piece[0], rows_of(piece, queries, count), neighbors.piece(*piece)
            pixel, offset = part.pixel.flatten(), part.offset.flatten(0, 1)
            passed = ctx.activations.learn(rows, part.weight, gradient[piece], is_first_rectified=False)
            turned = amplitude[image].index_select(0, pixel).mul_(passed)
            for_angle = turned[:, half:].mul_(circle[rows, :half])
            for_angle.addcmul_(turned[:, :half], circle[rows, half:], value=-1)
            for_phase[image] += for_angle.sum(dim=0)
            for_amplitude[image].index_add_(0, pixel, passed.mul_(circle[rows]))
            for_y[image].index_add_(0, pixel, for_angle * offset[:, :1])
            for_x[image].index_add_(0, pixel, for_angle * offset[:, 1:])
        for_layers = ctx.activations.take_gradients()
        return for_amplitude, for_y, for_x, for_phase * math.pi, None, None, None, *for_layers
