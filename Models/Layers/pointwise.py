"""Linear layers whose weights are stored as 1x1 convolutions.

Networks that are published for whole pictures keep their weights so. Applied to vectors in the last axis, they are the
same functions as linear layers, and a decoder's queries are such vectors.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class PointwiseLinear(nn.Conv2d):
    """A linear layer with the weight of a 1x1 convolution, for vectors in the last axis."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__(dim_in, dim_out, kernel_size=1)

    def forward(self, inputs: Float[Tensor, '*batch dim_in']) -> Float[Tensor, '*batch dim_out']:
        return functional.linear(inputs, self.weight.flatten(1), self.bias)


def pointwise_mlp(dim_in: int, hidden: Sequence[int], dim_out: int) -> nn.Sequential:
    """The layers of an `MLP`, linear ones with ReLU between them; `0`, `2`, ... in a state_dict."""
    layers: list[nn.Module] = []
    for width_in, width_out in zip([dim_in, *hidden], hidden, strict=False):
        layers += [PointwiseLinear(width_in, width_out), nn.ReLU()]
    return nn.Sequential(*layers, PointwiseLinear(hidden[-1] if hidden else dim_in, dim_out))
