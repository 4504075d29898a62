from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class PointwiseLinear(nn.Conv2d):
    """A linear layer on the last axis whose weights have the published shape of a 1x1 convolution."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__(dim_in, dim_out, kernel_size=1)

    def forward(self, inputs: Float[Tensor, '*batch dim_in']) -> Float[Tensor, '*batch dim_out']:
        return functional.linear(inputs, self.weight.flatten(1), self.bias)
