"""LTE's answers (Models/Decoders/LTE.py) in pieces that stay in a CPU's cache, forward and backward; on a GPU fused.

The same function as the plain form there, up to rounding.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from Models.Layers.blended_mlp import (
    Activations,
    HiddenLayers,
    Linear,
    NeighborsInTurn,
    paired,
    piece_of,
    pieces_of,
    rows_of,
    unpaired,
)
from Models.Layers.fused_mlp import fused_waves
from Models.Layers.local_ensemble import Neighbors

_PER_HALF = 4
"""Numbers in a row of a piece over half the Fourier features: amplitudes, frequencies and features at once."""


def blended_lte(
    amplitude: Float[Tensor, 'batch pixels dim'],
    frequency: Float[Tensor, 'batch entries half'],
    phase: Float[Tensor, 'batch half'],
    neighbors: Neighbors,
    layers: Sequence[Linear],
) -> Float[Tensor, 'batch queries 3']:
    """Blended colors; gradients reach everything but the coordinates.

    Args:
        amplitude: of each LR pixel.
        frequency: in radians, along y of every LR pixel, then along x of every one.
        phase: in half turns.
        neighbors: of each coordinate.
        layers: the MLP's linear layers.
    """
    if torch.is_grad_enabled():
        return _Answers.apply(amplitude, frequency, phase, *neighbors, *unpaired(layers))
    if amplitude.device.type != 'cpu':
        return fused_waves(amplitude, frequency, phase * math.pi, neighbors, layers)
    return _answer(amplitude, frequency, phase, neighbors, layers)


@torch.no_grad()
def _answer(
    amplitude: Float[Tensor, 'batch pixels dim'],
    frequency: Float[Tensor, 'batch entries half'],
    phase: Float[Tensor, 'batch half'],
    neighbors: Neighbors,
    layers: Sequence[Linear],
) -> Float[Tensor, 'batch queries 3']:
    half, turn, found = phase.shape[1], phase * math.pi, NeighborsInTurn.of(neighbors)
    pair = _rows_of_frequency(found.pixel, frequency)

    def inputs_of(image: int, rows: slice) -> Float[Tensor, 'rows dim']:
        features = amplitude[image].index_select(0, found.pixel[image, rows])
        angle = _angle(frequency[image], turn[image], pair[image, rows], found.offset[image, rows])
        features[:, :half].mul_(angle.cos())
        features[:, half:].mul_(angle.sin_())
        return features

    return HiddenLayers(layers).answer(inputs_of, found.weight, _PER_HALF * half)


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
            image, rows, part = piece[0], rows_of(piece, queries, count), piece_of(neighbors, piece)
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
            image, rows, part = piece[0], rows_of(piece, queries, count), piece_of(neighbors, piece)
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
