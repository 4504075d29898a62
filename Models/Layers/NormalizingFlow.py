"""A normalizing flow of linear layers, conditioned by scales and shifts.

Paper: Yao, Tsao, Lo, Tseng, Chang, Lee, CVPR 2023, https://arxiv.org/abs/2303.05156, section 3.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

# Constants of the published network: scales near 1 to begin with, and never 0.
_SCALE_BIAS = 2.0
_MIN_SCALE = 1e-4


class InvertibleLinear(nn.Module):
    """x -> x W^T + b with a square W. To begin with, a random rotation (as in Glow) and b = 0."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self._weight = nn.Parameter(nn.init.orthogonal_(torch.empty(dim, dim)))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, inputs: Float[Tensor, '*batch dim']) -> Float[Tensor, '*batch dim']:
        return functional.linear(inputs, self._weight, self.bias)

    def inverse(self, outputs: Float[Tensor, '*batch dim']) -> Float[Tensor, '*batch dim']:
        """The input that gives this output."""
        return functional.linear(outputs - self.bias, torch.linalg.inv(self._weight))

    def log_determinant(self) -> Float[Tensor, '']:
        """Logarithm of |det W|."""
        return torch.linalg.slogdet(self._weight).logabsdet


class NormalizingFlow(nn.Module):
    """A one-to-one map from data to noise, so the data's likelihood is known, and noise can be turned into data.

    Each layer is an `InvertibleLinear` and then, for every number, a scale and a shift that depend on the condition;
    one more `InvertibleLinear` ends it.

    Args:
        dim: numbers of a data point.
        layers: conditioned layers.
    """

    def __init__(self, dim: int, layers: int) -> None:
        super().__init__()
        self.linears = nn.ModuleList(InvertibleLinear(dim) for _ in range(layers))
        self.last = InvertibleLinear(dim)
        self.condition_dim = layers * 2 * dim
        """Numbers that condition the flow: for each layer `dim` scales, before the sigmoid, and `dim` shifts."""

    def log_likelihood(
        self, data: Float[Tensor, '*batch dim'], condition: Float[Tensor, '*batch condition_dim']
    ) -> Float[Tensor, '*batch']:
        """Logarithm of the probability density of the data."""
        # Each layer's rounding adds up, and the layers are tiny: not in half precision.
        with torch.autocast(data.device.type, enabled=False):
            log_volume = self.last.log_determinant()
            for linear, (scale, shift) in zip(self.linears, self._affine(condition.to(data.dtype)), strict=True):
                assert isinstance(linear, InvertibleLinear)
                data = linear(data) * scale + shift
                log_volume = log_volume + linear.log_determinant() + scale.log().sum(dim=-1)
            noise = self.last(data)
            return log_volume - 0.5 * (noise.square() + math.log(2 * math.pi)).sum(dim=-1)

    def data_of(
        self, noise: Float[Tensor, '*batch dim'], condition: Float[Tensor, '*batch condition_dim']
    ) -> Float[Tensor, '*batch dim']:
        """The data point that the flow maps to this noise; normal noise gives a sample of the learned distribution."""
        data = self.last.inverse(noise)
        for linear, (scale, shift) in zip(reversed(self.linears), reversed(self._affine(condition)), strict=True):
            assert isinstance(linear, InvertibleLinear)
            data = linear.inverse((data - shift) / scale)
        return data

    def _affine(
        self, condition: Float[Tensor, '*batch condition_dim']
    ) -> list[tuple[Float[Tensor, '*batch dim'], Float[Tensor, '*batch dim']]]:
        """Scale and shift of each layer."""
        layers = condition.unflatten(-1, (len(self.linears), 2, -1)).unbind(dim=-3)
        return [(torch.sigmoid(layer[..., 0, :] + _SCALE_BIAS) + _MIN_SCALE, layer[..., 1, :]) for layer in layers]
