"""LIIF's answers (Models/Decoders/LIIF.py) in pieces that stay in a CPU's cache, forward and backward; on a GPU fused.

The same function as the plain form there, up to rounding.
"""

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
from Models.Layers.fused_mlp import fused_offsets
from Models.Layers.local_ensemble import Neighbors


def blended_liif(
    table: Float[Tensor, 'batch pixels width'],
    of_cell: Float[Tensor, 'batch width'] | None,
    of_offset: Float[Tensor, 'width 2'],
    neighbors: Neighbors,
    layers: Sequence[Linear],
) -> Float[Tensor, 'batch queries 3']:
    """Blended colors; gradients reach everything but the coordinates.

    Args:
        table: share of the features in the first layer, with its bias.
        of_cell: share of the cell in it.
        of_offset: its weights for the offset.
        neighbors: of each coordinate.
        layers: the MLP's other layers.
    """
    if not torch.is_grad_enabled() and table.device.type == 'cpu':
        return _answer(table, of_cell, of_offset, neighbors, layers)
    table = table if of_cell is None else table + of_cell[:, None]
    if not torch.is_grad_enabled():
        return fused_offsets(table, of_offset, neighbors, layers)
    return _Answers.apply(table, of_offset, *neighbors, *unpaired(layers))


@torch.no_grad()
def _answer(
    table: Float[Tensor, 'batch pixels width'],
    of_cell: Float[Tensor, 'batch width'] | None,
    of_offset: Float[Tensor, 'width 2'],
    neighbors: Neighbors,
    layers: Sequence[Linear],
) -> Float[Tensor, 'batch queries 3']:
    batch, _, width = table.shape
    found = NeighborsInTurn.of(neighbors)
    # The cell goes with the offset, so that no second table is made.
    of_cell = table.new_zeros(batch, width) if of_cell is None else of_cell
    weight = torch.cat([of_offset.t().expand(batch, -1, -1), of_cell[:, None]], dim=1)
    offset = functional.pad(found.offset, (0, 1), value=1.0)

    def inputs_of(image: int, rows: slice) -> Float[Tensor, 'rows dim']:
        inputs = table[image].index_select(0, found.pixel[image, rows])
        return inputs.addmm_(offset[image, rows], weight[image]).relu_()

    return HiddenLayers(layers).answer(inputs_of, found.weight, width)


class _Answers(torch.autograd.Function):
    """Colors in pieces, and the gradients of everything but the coordinates."""

    @staticmethod
    def forward(  # noqa: PLR0913
        ctx: Any,  # noqa: ANN401
        table: Float[Tensor, 'batch pixels width'],
        of_offset: Float[Tensor, 'width 2'],
        pixel: Int[Tensor, 'neighbors batch queries'],
        offset: Float[Tensor, 'neighbors batch queries 2'],
        share: Float[Tensor, 'neighbors batch queries'],
        *parameters: Tensor,
    ) -> Float[Tensor, 'batch queries 3']:
        neighbors = Neighbors(pixel, offset, share)
        count, batch, queries = pixel.shape
        activations = Activations(pixel.numel(), paired(parameters), table)
        colors = table.new_empty(batch, queries, parameters[-1].shape[0])
        for piece in pieces_of(batch, queries, count, table.shape[2]):
            rows, part = rows_of(piece, queries, count), piece_of(neighbors, piece)
            inputs = activations.first(rows)
            torch.index_select(table[piece[0]], 0, part.pixel.flatten(), out=inputs)
            inputs.addmm_(part.offset.flatten(0, 1), of_offset.t()).relu_()
            colors[piece] = activations.answer(rows, part.weight)
        ctx.save_for_backward(pixel, offset, share)
        ctx.activations, ctx.table_shape = activations, table.shape
        return colors

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, 'batch queries 3']) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        neighbors = Neighbors(*ctx.saved_tensors)
        count, batch, queries = neighbors.pixel.shape
        ctx.activations.start_learning()
        for_table = gradient.new_zeros(ctx.table_shape)
        for_offset = gradient.new_zeros(ctx.table_shape[2], 2)
        for piece in pieces_of(batch, queries, count, ctx.table_shape[2]):
            part = piece_of(neighbors, piece)
            rows = rows_of(piece, queries, count)
            passed = ctx.activations.learn(rows, part.weight, gradient[piece], is_first_rectified=True)
            for_offset.addmm_(passed.t(), part.offset.flatten(0, 1))
            for_table[piece[0]].index_add_(0, part.pixel.flatten(), passed)
        return for_table, for_offset, None, None, None, *ctx.activations.take_gradients()
