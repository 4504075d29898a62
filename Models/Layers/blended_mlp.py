"""An MLP asked at every neighbor of every coordinate, and its answers blended: the heart of the local ensemble.

Chen et al., CVPR 2021, https://arxiv.org/abs/2012.09161, section 3. On a CPU the work is bound by memory unless it is
done in pieces whose activations stay in the cache, forward and backward; so the pieces and the gradient are written out
here. The plain form, for everything else, is the same function.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from Models.Layers.fused_mlp import Linear, can_fuse
from Models.Layers.local_ensemble import Neighbors

# For each thread 2 MB of float32, the second-level cache of a core: 2 048 rows of 256. Half or twice as many cost 2 to
# 8 % more.
_NUMBERS_PER_PIECE = 2**19

Layer = Callable[[Tensor], Tensor]

Piece = tuple[int, slice]
"""Image of the batch, and some of its queries."""


class NeighborsInTurn(NamedTuple):
    """As `Neighbors`, but with those of one coordinate after the other, so that pieces are cut out without a copy."""

    pixel: Int[Tensor, 'batch rows']
    offset: Float[Tensor, 'batch rows 2']
    weight: Float[Tensor, 'batch queries neighbors']

    @classmethod
    def of(cls, neighbors: Neighbors) -> 'NeighborsInTurn':
        """In another order."""
        pixel, offset, weight = (part.movedim(0, 2) for part in neighbors)
        return cls(pixel.flatten(1), offset.flatten(1, 2), weight)


class NeighborsOfOne(NamedTuple):
    """As `Neighbors`, of a single image."""

    pixel: Int[Tensor, 'neighbors queries']
    offset: Float[Tensor, 'neighbors queries 2']
    weight: Float[Tensor, 'neighbors queries']


def can_blend(table: Tensor, offset: Tensor, layers: Sequence[Linear]) -> bool:
    """Whether a fast form is there and right.

    On a CPU pieces are, in the inputs' own precision, written out rather than compiled; on a GPU `can_fuse` says.

    Args:
        table: what is looked up.
        offset: to the neighbors; they give no gradient for it.
        layers: the MLP's, after the look-up.
    """
    if torch.compiler.is_compiling() or offset.requires_grad:
        return False
    if table.device.type == 'cpu':
        return not torch.is_autocast_enabled('cpu')
    return can_fuse(layers, table)


def piece_of(neighbors: Neighbors, piece: Piece) -> NeighborsOfOne:
    """Those of a piece's coordinates."""
    image, span = piece
    pixel, offset, weight = neighbors
    return NeighborsOfOne(pixel[:, image, span], offset[:, image, span], weight[:, image, span])


def pieces_of(batch: int, queries: int, neighbors: int, width: int) -> Iterator[Piece]:
    """Queries in pieces that fit the cache, image by image.

    Args:
        batch: images.
        queries: coordinates of each.
        neighbors: rows of activations for each coordinate.
        width: numbers in a row.
    """
    most = max(1, _NUMBERS_PER_PIECE * torch.get_num_threads() // (neighbors * width))
    size = -(-queries // max(1, -(-queries // most)))
    for image in range(batch):
        for start in range(0, queries, size):
            yield image, slice(start, min(start + size, queries))


class HiddenLayers:
    """Linear layers each followed by ReLU, and a linear one that comes after the blend, for use without gradients.

    Args:
        layers: the linear layers; between them ReLU.
    """

    def __init__(self, layers: Sequence[Linear]) -> None:
        self._hidden = [_with_relu(weight.detach(), bias) for weight, bias in layers[:-1]]
        self._last = layers[-1][0].detach(), layers[-1][1].detach()

    @torch.no_grad()
    def answer(
        self, inputs_of: Callable[[int, slice], Tensor], share: Float[Tensor, 'batch queries neighbors'], width: int
    ) -> Float[Tensor, 'batch queries colors']:
        """Blended colors.

        Args:
            inputs_of: what goes into the first of the layers, (rows, dim), for some rows of an image; the rows are the
                neighbors of one coordinate after the other. It may be changed.
            share: how much each neighbor counts.
            width: numbers that a row takes, for the size of the pieces.
        """
        batch, queries, neighbors = share.shape
        weight, bias = self._last
        colors = share.new_empty(batch, len(weight), queries * neighbors)
        for image, span in pieces_of(batch, queries, neighbors, width):
            rows = slice(span.start * neighbors, span.stop * neighbors)
            inputs = inputs_of(image, rows)
            for layer in self._hidden:
                inputs = layer(inputs)
            # Transposed, as a product of few rows by many columns takes half the time of many by few.
            torch.mm(weight, inputs.t(), out=colors[image, :, rows])
        # The shares add up to 1, so the bias may come after the blend.
        blended = (colors.unflatten(2, (queries, neighbors)) * share[:, None]).sum(dim=3)
        return blended.add_(bias[:, None]).transpose(1, 2)


def answer_plainly(
    inputs: Float[Tensor, 'neighbors batch queries dim'],
    share: Float[Tensor, 'neighbors batch queries'],
    layers: Sequence[Linear],
) -> Float[Tensor, 'batch queries colors']:
    """Blended colors of everything at once, for any device and precision."""
    for weight, bias in layers[:-1]:
        inputs = functional.relu(functional.linear(inputs, weight, bias))
    # The last layer is linear and the shares add up to 1, so the blend may come before it.
    return functional.linear((inputs * share[..., None]).sum(dim=0), *layers[-1])


class Activations:
    """What the layers answered in the forward pass, kept for the backward pass.

    Args:
        rows: neighbors times queries times images.
        layers: the linear layers, between them ReLU.
        like: a tensor of the same type.
    """

    def __init__(self, rows: int, layers: Sequence[Linear], like: Tensor) -> None:
        self._layers = layers
        self._kept = [like.new_empty(rows, weight.shape[1]) for weight, _ in layers]
        self._gradients: list[tuple[Tensor, Tensor]] = []

    def first(self, rows: slice) -> Float[Tensor, 'rows dim']:
        """Where the inputs of a piece's layers go."""
        return self._kept[0][rows]

    def answer(self, rows: slice, share: Float[Tensor, 'neighbors queries']) -> Float[Tensor, 'queries colors']:
        """Blended colors of a piece whose inputs stand in `first`."""
        for (weight, bias), inputs, outputs in zip(self._layers, self._kept, self._kept[1:], strict=False):
            torch.addmm(bias, inputs[rows], weight.t(), out=outputs[rows]).relu_()
        return _blend(self._kept[-1][rows], self._layers[-1], share)

    def start_learning(self) -> None:
        """Called before a backward pass."""
        self._gradients = [(torch.zeros_like(weight), torch.zeros_like(bias)) for weight, bias in self._layers]

    def take_gradients(self) -> list[Tensor]:
        """The sums of a backward pass, as `unpaired` orders the parameters."""
        gradients, self._gradients = self._gradients, []
        return unpaired(gradients)

    def learn(
        self,
        rows: slice,
        share: Float[Tensor, 'neighbors queries'],
        gradient: Float[Tensor, 'queries colors'],
        *,
        is_first_rectified: bool,
    ) -> Float[Tensor, 'rows dim']:
        """Add up the layers' gradients over a piece.

        Args:
            rows: of the piece.
            share: as in `answer`.
            gradient: of the colors.
            is_first_rectified: whether the piece's inputs came from a ReLU; then theirs is the gradient before it.

        Returns:
            The gradient of the piece's inputs.
        """
        passed = (gradient * share[..., None]).flatten(0, 1)
        for number in reversed(range(len(self._layers))):
            inputs = self._kept[number][rows]
            for_weight, for_bias = self._gradients[number]
            for_weight.addmm_(passed.t(), inputs)
            for_bias += passed.sum(dim=0)
            passed = passed @ self._layers[number][0]
            if number or is_first_rectified:
                # In place: ReLU lets a gradient through where it let the number through.
                torch.ops.aten.threshold_backward.grad_input(passed, inputs, 0, grad_input=passed)
        return passed


def rows_of(piece: Piece, queries: int, neighbors: int) -> slice:
    """Where the activations of a piece are kept."""
    image, span = piece
    start = neighbors * (image * queries + span.start)
    return slice(start, start + neighbors * (span.stop - span.start))


def linear_layers(mlp: nn.Sequential) -> list[Linear]:
    """The linear layers of an MLP with ReLU between them, be they stored as such or as 1x1 convolutions."""
    layers = [layer for layer in mlp if isinstance(layer, nn.Linear | nn.Conv2d)]
    return [(layer.weight.flatten(1), cast(Tensor, layer.bias)) for layer in layers]


def paired(parameters: Sequence[Tensor]) -> list[Linear]:
    """Linear layers from weight, bias, weight, bias, ..., as autograd functions take them."""
    return list(zip(parameters[::2], parameters[1::2], strict=True))


def unpaired(layers: Sequence[Linear]) -> list[Tensor]:
    """The inverse of `paired`."""
    return [parameter for layer in layers for parameter in layer]


def _blend(
    inputs: Float[Tensor, 'rows dim'], last: Linear, share: Float[Tensor, 'neighbors queries']
) -> Float[Tensor, 'queries colors']:
    # Transposed, as a product of few rows by many columns takes a quarter of the time of many by few. The shares add up
    # to 1, so the bias may come after the blend.
    weight, bias = last
    colors = (weight @ inputs.t()).unflatten(1, share.shape) * share
    return colors.sum(dim=1).add_(bias[:, None]).t()


def _with_relu(weight: Tensor, bias: Tensor) -> Layer:
    if weight.dtype is torch.float32 and _has_fused_layers():
        packed = torch.ops.mkldnn._reorder_linear_weight(weight)
        return lambda inputs: torch.ops.mkldnn._linear_pointwise(inputs, packed, bias, 'relu', [], '')
    return lambda inputs: functional.linear(inputs, weight, bias).relu_()


def _has_fused_layers() -> bool:
    # oneDNN's linear layer with ReLU, a tenth faster than the two apart: torch's own, but not public, so it may go.
    names = ('_reorder_linear_weight', '_linear_pointwise')
    return torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in names)
