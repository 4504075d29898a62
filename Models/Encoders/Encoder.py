"""What every encoder promises."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn


class Encoder(nn.Module, ABC):
    """A network from an LR image to a feature map of the same height and width.

    An encoder takes the normalized image (SuperResolver does that), of any size, and states the channels it returns.
    """

    feature_dim: int
    """Channels of the feature map."""

    @abstractmethod
    def forward(self, lr: Float[Tensor, 'batch 3 h w']) -> Float[Tensor, 'batch feature_dim h w']:
        """Features of a normalized image, one vector per LR pixel."""
