"""L1 between gradients, which asks for edges as steep as the true ones.

By Sobel's kernels, whose weights (1, 2, 1) across and (-1, 0, 1) along are not normalized: a ramp that rises by 0.1 per
pixel has the gradient 0.8.
"""

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from Losses.Loss import Loss


class GradientL1(Loss):
    """Mean absolute difference of horizontal gradients plus that of vertical ones.

    Over the pixels that have all their neighbors, so all but the outermost.

    Raises:
        ValueError: for images smaller than 3x3.
    """

    needs_neighbors: ClassVar[bool] = True

    def forward(self, sr: Float[Tensor, 'batch 3 h w'], hr: Float[Tensor, 'batch 3 h w']) -> Float[Tensor, '']:
        if min(sr.shape[-2:]) < 3:
            raise ValueError(
                f'GradientL1 needs at least 3x3 pixels side by side, got {sr.shape[-2]}x{sr.shape[-1]}: raise queries.'
            )
        # The gradient is linear: a difference of gradients is the gradient of the difference.
        difference = sr - hr
        return _gradient_along_rows(difference).abs().mean() + _gradient_along_rows(difference.mT).abs().mean()


def _gradient_along_rows(image: Float[Tensor, 'batch 3 h w']) -> Float[Tensor, 'batch 3 inner_h inner_w']:
    slope = image[..., 2:] - image[..., :-2]
    return slope[..., :-2, :] + 2 * slope[..., 1:-1, :] + slope[..., 2:, :]
