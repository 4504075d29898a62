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
from torch.nn import functional

from Models.Decoders.Decoder import Decoder
from Models.Decoders.local_ensemble import (
    Neighbors,
    NeighborsInTurn,
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
from Models.Layers.fourier_features import fourier_features, wave_filters
from Models.Layers.MLP import MLP
from Models.Layers.pointwise import pointwise_mlp
from Utilities.coordinates import Crop, PixelChunks, relative_cell

_PER_HALF = 4
"""Numbers in a row of a piece over half the Fourier features: amplitudes, frequencies and features at once."""


class LTEContext(NamedTuple):
    """What LTE knows of an image before any coordinate is asked for."""

    amplitude: Float[Tensor, 'batch pixels dim']

    frequency: Float[Tensor, 'batch entries half']
    """In radians: along y of every LR pixel, then along x of every one."""

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
    least_default_chunk = 2**13

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
        of_amplitude, *of_frequency = wave_filters(self.coef, self.freq, interleaved=not self.plus)
        # One after the other, as together they take twice the memory.
        frequency = torch.cat([_rows_by_filter(features, *part) for part in of_frequency], dim=1)
        amplitude = _rows_by_filter(features, *of_amplitude)
        return LTEContext(amplitude, frequency, lr, (features.shape[2], features.shape[3]))

    def query(
        self, context: LTEContext, coord: Float[Tensor, 'batch queries 2'], cell: Float[Tensor, 'batch 2']
    ) -> Float[Tensor, 'batch queries 3']:
        neighbors = find_neighbors(coord, context.lr_size, local_ensemble=True, crop=context.crop)
        phase = self._phase(cell, context.lr_size)
        if not in_pieces(context.amplitude) or coord.requires_grad:
            tables = [context.amplitude, *context.frequency.chunk(2, dim=1)]
            # (4, B, Q, 2 * hidden_dim)
            waves = torch.cat([gather_pixels(table, neighbors.pixel) for table in tables], dim=-1)
            features = fourier_features(waves, neighbors.offset, phase[:, None])
            color = answer_plainly(features, neighbors.weight, self._linear_layers)
        elif torch.is_grad_enabled():
            color = _Answers.apply(*context[:2], phase, *neighbors, *unpaired(self._linear_layers))
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


def _rows_by_filter(
    features: Float[Tensor, 'batch channels h w'], weight: Tensor, bias: Tensor
) -> Float[Tensor, 'batch pixels dim']:
    return functional.conv2d(features, weight, bias, padding=1).flatten(2).transpose(1, 2).contiguous()


@torch.no_grad()
def _answer(
    context: LTEContext, phase: Float[Tensor, 'batch half'], neighbors: Neighbors, hidden: HiddenLayers
) -> Float[Tensor, 'batch queries 3']:
    """Colors in pieces, without gradients; neighbors of a batch of one are those of every image."""
    batch, half = phase.shape
    turn, found = phase * math.pi, NeighborsInTurn.of(neighbors, batch)
    pair = _rows_of_frequency(found.pixel, context.frequency)

    def inputs_of(image: int, rows: slice) -> Float[Tensor, 'rows dim']:
        features = context.amplitude[image].index_select(0, found.pixel[image, rows])
        angle = _angle(context.frequency[image], turn[image], pair[image, rows], found.offset[image, rows])
        features[:, :half].mul_(angle.cos())
        features[:, half:].mul_(angle.sin_())
        return features

    return hidden.answer(inputs_of, found.weight, _PER_HALF * half)


def _rows_of_frequency(
    pixel: Int[Tensor, '*shape'], frequency: Float[Tensor, 'batch entries half']
) -> Int[Tensor, '*shape 2']:
    return pixel[..., None] + torch.tensor([0, frequency.shape[1] // 2])


def _angle(
    frequency: Float[Tensor, 'entries half'],
    turn: Float[Tensor, ' half'],
    pair: Int[Tensor, 'rows 2'],
    offset: Float[Tensor, 'rows 2'],
) -> Float[Tensor, 'rows half']:
    # Fetched, multiplied and added at once, instead of one after the other.
    return functional.embedding_bag(pair, frequency, mode='sum', per_sample_weights=offset).add_(turn)


class _Answers(torch.autograd.Function):
    """Colors in pieces, and the gradients of everything but the coordinates."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917
        ctx: Any,  # noqa: ANN401
        amplitude: Float[Tensor, 'batch pixels dim'],
        frequency: Float[Tensor, 'batch entries half'],
        phase: Float[Tensor, 'batch half'],
        pixel: Int[Tensor, 'neighbors batch queries'],
        offset: Float[Tensor, 'neighbors batch queries 2'],
        share: Float[Tensor, 'neighbors batch queries'],
        *parameters: Tensor,
    ) -> Float[Tensor, 'batch queries 3']:
        neighbors, half, turn = Neighbors(pixel, offset, share), phase.shape[1], phase * math.pi
        count, batch, queries = pixel.shape
        activations = Activations(pixel.numel(), paired(parameters), amplitude)
        # Cosines and sines without amplitudes, apart, as torch writes them four times as fast without gaps.
        circle = amplitude.new_empty(2, pixel.numel(), half)
        colors = amplitude.new_empty(batch, queries, parameters[-1].shape[0])
        for piece in pieces_of(batch, queries, count, _PER_HALF * half):
            image, rows, part = piece[0], rows_of(piece, queries, count), neighbors.piece(*piece)
            pair = _rows_of_frequency(part.pixel.flatten(), frequency)
            angle = _angle(frequency[image], turn[image], pair, part.offset.flatten(0, 1))
            cosine, sine = torch.cos(angle, out=circle[0, rows]), torch.sin(angle, out=circle[1, rows])
            inputs = activations.first(rows)
            torch.index_select(amplitude[image], 0, part.pixel.flatten(), out=inputs)
            inputs[:, :half].mul_(cosine)
            inputs[:, half:].mul_(sine)
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
        for_frequency = amplitude.new_zeros(batch, 2 * amplitude.shape[1], half)
        for_y, for_x = for_frequency.chunk(2, dim=1)
        for_phase = amplitude.new_zeros(batch, half)
        ctx.activations.start_learning()
        for piece in pieces_of(batch, queries, count, _PER_HALF * half):
            image, rows, part = piece[0], rows_of(piece, queries, count), neighbors.piece(*piece)
            pixel, offset = part.pixel.flatten(), part.offset.flatten(0, 1)
            passed = ctx.activations.learn(rows, part.weight, gradient[piece], is_first_rectified=False)
            turned = amplitude[image].index_select(0, pixel).mul_(passed)
            cosine, sine = circle[0, rows], circle[1, rows]
            for_angle = turned[:, half:] * cosine
            for_angle.addcmul_(turned[:, :half], sine, value=-1)
            for_phase[image] += for_angle.sum(dim=0)
            passed[:, :half].mul_(cosine)
            passed[:, half:].mul_(sine)
            for_amplitude[image].index_add_(0, pixel, passed)
            for_y[image].index_add_(0, pixel, for_angle * offset[:, :1])
            for_x[image].index_add_(0, pixel, for_angle * offset[:, 1:])
        for_layers = ctx.activations.take_gradients()
        return for_amplitude, for_frequency, for_phase * math.pi, None, None, None, *for_layers
