from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from Losses.Loss import Loss


class PixelMSE(Loss):
    """Mean squared difference over all pixels and channels."""

    def forward(self, sr: Float[Tensor, '*shape'], hr: Float[Tensor, '*shape']) -> Float[Tensor, '']:
        return functional.mse_loss(sr, hr)
