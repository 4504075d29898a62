"""An MLP asked at every neighbor of every coordinate, and its answers blended: the heart of the local ensemble.

Chen et al., CVPR 2021, https://arxiv.org/abs/2012.09161, section 3. On a CPU the work is bound by memory unless it is
done in pieces whose activations stay in the cache, forward and backward; so the pieces and the gradient are written out
here. The plain form, for everything else, is the same function.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

# 2 MB of float32, the second-level cache of a core: 2 048 rows of 256. Half or twice as many cost 2 % more.
_NUMBERS_PER_PIECE = 2**19

Layer = Callable[[Tensor], Tensor]
Piece = tuple[int, slice]
"""Image of the batch, and some of its queries."""


def in_pieces(*inputs: Tensor) -> bool:
    """Whether pieces win and are right: on a CPU, in the inputs' own precision, written out rather than compiled."""
    is_plain = torch.is_autocast_enabled('cpu') or torch.compiler.is_compiling()
    return not is_plain and all(tensor.device.type == 'cpu' for tensor in inputs)


def pieces_of(batch: int, queries: int, neighbors: int, width: int) -> Iterator[Piece]:
    """Queries in pieces that fit the cache, image by image.

    Args:
        batch: images.
        queries: coordinates of each.
        neighbors: rows of activations for each coordinate.
        width: numbers in a row.
    """
    most = max(1, _NUMBERS_PER_PIECE // (neighbors * width))
    size = -(-queries // max(1, -(-queries // most)))
    for image in range(batch):
        for start in range(0, queries, size):
            yield image, slice(start, min(start + size, queries))


class HiddenLayers:
    """Linear layers each followed by ReLU, and a linear one that comes after the blend, for use without gradients.

    Args:
        layers: the linear layers; between them ReLU.
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        self._hidden = [_with_relu(layer) for layer in layers[:-1]]
        self._last = layers[-1]

    def answer(
        self, inputs: Float[Tensor, 'rows dim'], share: Float[Tensor, 'neighbors queries']
    ) -> Float[Tensor, 'queries colors']:
        """Blended colors of one piece.

        Args:
            inputs: activations after the first ReLU, neighbor by neighbor.
            share: how much each neighbor counts.
        """
        for layer in self._hidden:
            inputs = layer(inputs)
        return _blend(self._last(inputs), share)


def answer_plainly(
    inputs: Float[Tensor, 'neighbors batch queries dim'],
    share: Float[Tensor, 'neighbors batch queries'],
    layers: Sequence[nn.Linear],
) -> Float[Tensor, 'batch queries colors']:
    """Blended colors of everything at once, for any device and precision."""
    for layer in layers[:-1]:
        inputs = functional.relu(layer(inputs))
    # The last layer is linear and the shares add up to 1, so the blend may come before it.
    return layers[-1]((inputs * share[..., None]).sum(dim=0))


class Activations:
    """What the layers answered in the forward pass, kept for the backward pass.

    Args:
        rows: neighbors times queries times images.
        layers: the linear layers, between them ReLU; weight and bias of each.
        like: a tensor of the same type.
    """

    def __init__(self, rows: int, layers: Sequence[tuple[Tensor, Tensor]], like: Tensor) -> None:
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
        weight, bias = self._layers[-1]
        return _blend(functional.linear(self._kept[-1][rows], weight, bias), share)

    def start_learning(self) -> None:
        """Called before a backward pass."""
        self._gradients = [(torch.zeros_like(weight), torch.zeros_like(bias)) for weight, bias in self._layers]

    def take_gradients(self) -> list[Tensor]:
        """The sums of a backward pass, as `parameters_of` orders the parameters."""
        gradients, self._gradients = self._gradients, []
        return [gradient for pair in gradients for gradient in pair]

    def learn(
        self, rows: slice, share: Float[Tensor, 'neighbors queries'], gradient: Float[Tensor, 'queries colors']
    ) -> Float[Tensor, 'rows dim']:
        """Add up the layers' gradients over a piece; returns that of its inputs, before their ReLU."""
        passed = (gradient * share[..., None]).flatten(0, 1)
        for (weight, _), inputs, (for_weight, for_bias) in zip(
            reversed(self._layers), reversed(self._kept), reversed(self._gradients), strict=True
        ):
            for_weight.addmm_(passed.t(), inputs[rows])
            for_bias += passed.sum(dim=0)
            passed = passed @ weight
            # In place: ReLU lets a gradient through where it let the number through.
            torch.ops.aten.threshold_backward.grad_input(passed, inputs[rows], 0, grad_input=passed)
        return passed


def rows_of(piece: Piece, queries: int, neighbors: int) -> slice:
    """Where the activations of a piece are kept."""
    image, span = piece
    start = neighbors * (image * queries + span.start)
    return slice(start, start + neighbors * (span.stop - span.start))


def linear_layers(mlp: nn.Sequential) -> list[nn.Linear]:
    """The linear layers of an MLP with ReLU between them."""
    return [layer for layer in mlp if isinstance(layer, nn.Linear)]


def parameters_of(layers: Sequence[nn.Linear]) -> list[Tensor]:
    """Weight and bias of each, one after the other, as autograd functions take them."""
    return [parameter for layer in layers for parameter in (layer.weight, layer.bias)]


def paired(parameters: Sequence[Any]) -> list[tuple[Any, Any]]:
    """The inverse of `parameters_of`."""
    return list(zip(parameters[::2], parameters[1::2], strict=True))


def _blend(colors: Float[Tensor, 'rows colors'], share: Float[Tensor, 'neighbors queries']) -> Tensor:
    return (colors.unflatten(0, share.shape) * share[..., None]).sum(dim=0)


def _with_relu(layer: nn.Linear) -> Layer:
    weight, bias = layer.weight.detach(), layer.bias
    if weight.dtype is torch.float32 and _has_fused_layers():
        packed = torch.ops.mkldnn._reorder_linear_weight(weight)
        return lambda inputs: torch.ops.mkldnn._linear_pointwise(inputs, packed, bias, 'relu', [], '')
    return lambda inputs: functional.linear(inputs, weight, bias).relu_()


def _has_fused_layers() -> bool:
    # oneDNN's linear layer with ReLU, a tenth faster than the two apart. It is torch's own but not public, so it may go.
    names = ('_reorder_linear_weight', '_linear_pointwise')
    return torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in names)
