"""L1, rounded off at zero.

Charbonnier et al., ICIP 1994, https://doi.org/10.1109/ICIP.1994.413553; for super-resolution Lai et al. (LapSRN), CVPR
2017, https://arxiv.org/abs/1704.03915.
"""

from jaxtyping import Float
from torch import Tensor

from Losses.Loss import Loss


class Charbonnier(Loss):
    """Mean of sqrt(difference² + epsilon²) over all pixels and channels.

    Args:
        epsilon: below such differences it is nearly quadratic. LapSRN's is 1e-3; XPixelGroup/BasicSR's `eps` is its
            square.

    Raises:
        ValueError: if it is not above 0.
    """

    def __init__(self, epsilon: float = 1e-3) -> None:
        super().__init__()
        if not epsilon > 0:
            raise ValueError(f'epsilon of Charbonnier must be above 0, got {epsilon}.')
        self.epsilon = epsilon

    def forward(self, sr: Float[Tensor, '*shape'], hr: Float[Tensor, '*shape']) -> Float[Tensor, '']:
        return ((sr - hr).square() + self.epsilon**2).sqrt().mean()
