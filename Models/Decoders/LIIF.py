"""LIIF: local implicit image function, a decoder for any scale.

Paper: Chen, Liu, Wang, CVPR 2021, https://arxiv.org/abs/2012.09161.
Written from the paper. Checked against outputs of yinboc/liif@4c833f8 (tests/references/liif.npz).
Differs from it: the cell is given once per image, as it is the same for every query; and the MLP's first layer, which
is linear in the 3x3 neighborhood of features, is computed once per LR pixel as a convolution instead of four times per
HR pixel, which gives the same numbers up to rounding.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
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
from Models.Layers.blended_mlp import (
    Activations,
    HiddenLayers,
    answer_plainly,
    in_pieces,
    linear_layers,
    paired,
    pieces_of,
    rows_of,
    unpaired,
)
from Models.Layers.MLP import MLP
from Utilities.coordinates import Crop, PixelChunks, nearest_pixel, relative_cell


class LIIFContext(NamedTuple):
    """What LIIF knows of an image before any coordinate is asked for."""

    first_layer: Float[Tensor, 'batch pixels width']
    """Share of the features in the MLP's first layer, for each LR pixel, bias included; without an MLP the features."""

    lr_size: tuple[int, int]

    crop: Crop | None = None
    """The part of the image that the context is of; None: all."""


class LIIF(Decoder):
    """An MLP from the nearest feature vector and the offset to it, to a color.

    Args:
        feature_dim: channels of the encoder's features.
        hidden: widths of the MLP's hidden layers. None: no MLP, the answer is the nearest feature vector, as the
            original has it for encoders that put out colors; there must be three features.
        local_ensemble: blend the predictions of the four LR pixels around the coordinate.
        feat_unfold: give the MLP the 3x3 neighborhood of features instead of one vector.
        cell_decode: give the MLP the size of the HR pixel.
        image_mean: mean that images are normalized by; mmagic trained LIIF on EDSR with that of DIV2K.
        image_std: standard deviation that images are normalized by; 1 for the network just named.

    Raises:
        ValueError: if there is no hidden layer, without an MLP if there are not three features, or for a mean or
            deviation without meaning.
    """

    least_default_chunk = 2**13

    def __init__(  # noqa: PLR0913
        self,
        feature_dim: int,
        hidden: Sequence[int] | None = (256, 256, 256, 256),
        local_ensemble: bool = True,
        feat_unfold: bool = True,
        cell_decode: bool = True,
        *,
        image_mean: Sequence[float] = (0.5, 0.5, 0.5),
        image_std: Sequence[float] = (0.5, 0.5, 0.5),
    ) -> None:
        super().__init__()
        if hidden is not None and not hidden:
            raise ValueError("hidden must name at least one layer of LIIF's MLP, got none.")
        if hidden is None and feature_dim != 3:
            raise ValueError(f'Without an MLP the features are the colors, so three, got {feature_dim}.')
        self.set_normalization(image_mean, image_std)
        self.local_ensemble = local_ensemble
        self.feat_unfold = feat_unfold
        self.cell_decode = cell_decode
        self.receptive_field = int(local_ensemble) + int(feat_unfold)
        self.knows_crops = hidden is not None
        self.feature_inputs = feature_dim * (9 if feat_unfold else 1)
        dim_in = self.feature_inputs + 2 + (2 if cell_decode else 0)
        self.imnet = None if hidden is None else MLP(dim_in, hidden, 3)

    def prepare(self, features: Float[Tensor, 'batch dim h w'], lr: Float[Tensor, 'batch 3 h w']) -> LIIFContext:
        if self.imnet is None:
            return LIIFContext(features.flatten(2).transpose(1, 2).contiguous(), (features.shape[2], features.shape[3]))
        first = self.imnet.first
        kernel = 3 if self.feat_unfold else 1
        # Unfolded channels are ordered (channel, ky, kx), just as a convolution's weights are.
        weight = first.weight[:, : self.feature_inputs].unflatten(1, (features.shape[1], kernel, kernel))
        answers = functional.conv2d(features, weight, first.bias, padding=kernel // 2)  # (B, width, h, w)
        return LIIFContext(answers.flatten(2).transpose(1, 2).contiguous(), (features.shape[2], features.shape[3]))

    def query(
        self, context: LIIFContext, coord: Float[Tensor, 'batch queries 2'], cell: Float[Tensor, 'batch 2']
    ) -> Float[Tensor, 'batch queries 3']:
        if self.imnet is None:
            return self._nearest(context, coord)
        neighbors = find_neighbors(coord, context.lr_size, local_ensemble=self.local_ensemble, crop=context.crop)
        layers = linear_layers(self.imnet.layers)[1:]
        if in_pieces(context.first_layer) and not torch.is_grad_enabled():
            return self._answer(context, cell, neighbors, HiddenLayers(layers))
        table = self._with_cell(context, cell)
        if not in_pieces(table) or coord.requires_grad:
            hidden = gather_pixels(table, neighbors.pixel) + functional.linear(neighbors.offset, self._offset_weight)
            return answer_plainly(functional.relu(hidden), neighbors.weight, layers)
        return _Answers.apply(table, self._offset_weight, *neighbors, *unpaired(layers))

    def query_in_chunks(
        self,
        context: LIIFContext,
        chunks: Iterable[Float[Tensor, 'batch _ 2']],
        cell: Float[Tensor, 'batch 2'],
    ) -> Iterator[Float[Tensor, 'batch _ 3']]:
        if self.imnet is None or not isinstance(chunks, PixelChunks) or not in_pieces(context.first_layer):
            yield from super().query_in_chunks(context, chunks, cell)
            return
        grid = find_grid_neighbors(
            chunks.rows, chunks.columns, context.lr_size, local_ensemble=self.local_ensemble, crop=context.crop
        )
        hidden = HiddenLayers(linear_layers(self.imnet.layers)[1:])
        for row, column in chunks.crossings():
            yield self._answer(context, cell, grid.of(row, column), hidden)

    @property
    def _offset_weight(self) -> Float[Tensor, 'width 2']:
        assert self.imnet is not None
        return self.imnet.first.weight[:, self.feature_inputs : self.feature_inputs + 2]

    def _with_cell(self, context: LIIFContext, cell: Float[Tensor, 'batch 2']) -> Float[Tensor, 'batch pixels width']:
        """The first layer's answer to all but the offset."""
        if not self.cell_decode:
            return context.first_layer
        return context.first_layer + self._of_cell(context, cell)[:, None]

    def _of_cell(self, context: LIIFContext, cell: Float[Tensor, 'batch 2']) -> Float[Tensor, 'batch width']:
        """The first layer's answer to the cell."""
        if not self.cell_decode:
            return cell.new_zeros(len(cell), context.first_layer.shape[2])
        assert self.imnet is not None
        return functional.linear(
            relative_cell(cell, context.lr_size), self.imnet.first.weight[:, self.feature_inputs + 2 :]
        )

    @torch.no_grad()
    def _answer(
        self, context: LIIFContext, cell: Float[Tensor, 'batch 2'], neighbors: Neighbors, hidden: HiddenLayers
    ) -> Float[Tensor, 'batch queries 3']:
        """Colors without gradients; neighbors of a batch of one are those of every image."""
        table, found = context.first_layer, NeighborsInTurn.of(neighbors, len(cell))
        # The cell goes with the offset, so that no second table is made.
        offset = functional.pad(found.offset, (0, 1), value=1.0)
        of_offset = self._offset_weight.t().expand(len(cell), -1, -1)
        weight = torch.cat([of_offset, self._of_cell(context, cell)[:, None]], dim=1)

        def inputs_of(image: int, rows: slice) -> Float[Tensor, 'rows dim']:
            inputs = table[image].index_select(0, found.pixel[image, rows])
            return inputs.addmm_(offset[image, rows], weight[image]).relu_()

        return hidden.answer(inputs_of, found.weight, table.shape[2])

    def _nearest(self, context: LIIFContext, coord: Float[Tensor, 'batch queries 2']) -> Float[Tensor, 'batch _ 3']:
        rows, columns = (nearest_pixel(coord[..., axis], context.lr_size[axis]) for axis in (0, 1))
        return gather_pixels(context.first_layer, (rows * context.lr_size[1] + columns)[None])[0]


class _Answers(torch.autograd.Function):
    """Colors in pieces, and the gradients of everything but the coordinates."""

    @staticmethod
    def forward(  # noqa: PLR0913
        ctx: Any,  # noqa: ANN401
        table: Float[Tensor, 'batch pixels width'],
        offset_weight: Float[Tensor, 'width 2'],
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
            rows, part = rows_of(piece, queries, count), neighbors.piece(*piece)
            inputs = activations.first(rows)
            torch.index_select(table[piece[0]], 0, part.pixel.flatten(), out=inputs)
            inputs.addmm_(part.offset.flatten(0, 1), offset_weight.t()).relu_()
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
        for_offset_weight = gradient.new_zeros(ctx.table_shape[2], 2)
        for piece in pieces_of(batch, queries, count, ctx.table_shape[2]):
            part = neighbors.piece(*piece)
            rows = rows_of(piece, queries, count)
            passed = ctx.activations.learn(rows, part.weight, gradient[piece], is_first_rectified=True)
            for_offset_weight.addmm_(passed.t(), part.offset.flatten(0, 1))
            for_table[piece[0]].index_add_(0, part.pixel.flatten(), passed)
        return for_table, for_offset_weight, None, None, None, *ctx.activations.take_gradients()
