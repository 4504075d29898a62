"""What every loss promises."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn


class Loss(nn.Module, ABC):
    """A scalar to be minimized, from predicted and true colors in [0, 1].

    Both come as images (batch, 3, height, width) if the pixels lie side by side, and as (batch, 3, pixels) if they are
    scattered.
    """

    needs_neighbors: ClassVar[bool] = False
    """True: the pixels must lie side by side as in the picture. Such a loss refuses `SamplingType.Scattered`."""

    is_own: ClassVar[bool] = False
    """True: it is the decoder's own, which the network computes from more than colors."""

    @abstractmethod
    def forward(self, sr: Float[Tensor, '*shape'], hr: Float[Tensor, '*shape']) -> Float[Tensor, '']:
        """The loss; both inputs have the same shape."""
