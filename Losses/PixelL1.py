from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from Losses.Loss import Loss


class PixelL1(Loss):
    """Mean absolute difference over all pixels and channels."""

    def forward(self, sr: Float[Tensor, '*shape'], hr: Float[Tensor, '*shape']) -> Float[Tensor, '']:
        return functional.l1_loss(sr, hr)
